/** @file What must not be in two parts. Rows are named by their indices, patients and bags never. */
import { DomainError } from "@parfocal/errors";
import { PARTS, type Part, type Split } from "./split.ts";

/** Rows shown in an error at most. */
const MAX_ROWS = 10;

/**
 * Throws when a patient occurs in two parts of `split`. Run it on any split that came from outside.
 *
 * @throws {DomainError} `LABEL_LEAKAGE` with the number of shared patients and the rows of the first, not their names;
 * `INVALID_ARGUMENT` for a row outside the table.
 */
export function assertNoLeakage(patients: readonly string[], split: Split): void {
  assertRowsExist(patients.length, split);
  for (const [part, other] of partPairs()) {
    const shared = sharedBetween(patients, split, part, other);
    const [first] = shared;
    if (first === undefined) continue;
    const message = `${shared.length} patients are in both ${part} and ${other}; 0 may be (rows ${shown(first)})`;
    throw leakage(message, { parts: `${part},${other}`, patients: `${shared.length}`, rows: shown(first) });
  }
}

/**
 * Throws when the same bag, by the digest of its content, stands under two patients, or in two parts of `split`: a slide that
 * was listed twice, or copied under another name.
 *
 * @param contents Digest of each row's bag, `[N]`.
 * @throws {DomainError} `LABEL_LEAKAGE` with the rows; `SHAPE_MISMATCH` for other lengths; `INVALID_ARGUMENT` for a row outside
 * the table.
 */
export function assertDistinctContent(patients: readonly string[], contents: readonly string[], split: Split): void {
  if (patients.length !== contents.length) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `${contents.length} contents for ${patients.length} rows; they must be as many`,
    );
  }
  assertRowsExist(contents.length, split);
  const rowsOf = Map.groupBy(contents.keys(), (row) => contents[row] ?? "");
  for (const rows of rowsOf.values()) {
    if (new Set(rows.map((row) => patients[row])).size < 2) continue;
    throw leakage(`rows ${shown(rows)} are the same bag under different patients`, { rows: shown(rows) });
  }
  for (const [part, other] of partPairs()) {
    const [rows] = sharedBetween(contents, split, part, other);
    if (rows === undefined) continue;
    const message = `rows ${shown(rows)} are the same bag, in both ${part} and ${other}`;
    throw leakage(message, { parts: `${part},${other}`, rows: shown(rows) });
  }
}

/** Rows of each key that is in both parts, in the order of the first part. */
function sharedBetween(keys: readonly string[], split: Split, part: Part, other: Part): number[][] {
  const others = Map.groupBy(split[other], (row) => keys[row] ?? "");
  const own = Map.groupBy(split[part], (row) => keys[row] ?? "");
  return [...own].flatMap(([key, rows]) => {
    const found = others.get(key);
    return found === undefined ? [] : [[...rows, ...found]];
  });
}

function partPairs(): (readonly [Part, Part])[] {
  return PARTS.flatMap((part, a) => PARTS.slice(a + 1).map((other) => [part, other] as const));
}

function assertRowsExist(nRows: number, split: Split): void {
  const bad = PARTS.flatMap((part) => split[part]).find((row) => !(Number.isInteger(row) && row >= 0 && row < nRows));
  if (bad === undefined) return;
  throw new DomainError("INVALID_ARGUMENT", `row ${bad} is in the split; the table has ${nRows} rows`);
}

function shown(rows: readonly number[]): string {
  const more = rows.length > MAX_ROWS ? " and more" : "";
  return `${rows.slice(0, MAX_ROWS).join(", ")}${more}`;
}

function leakage(message: string, details: Readonly<Record<string, string>>): DomainError {
  return new DomainError("LABEL_LEAKAGE", message, { details });
}
