import { UsageError } from "../exit-codes.ts";
import { about } from "../setting-error.ts";
import type { LabelRow } from "./label-row.ts";
import { type FoldParts, isFoldTable, type LabelPart, parseFoldTable, parseSplits } from "./parse-splits.ts";
import { stemOf } from "./slide-stem.ts";

/** A splits file. */
export interface SplitsTable {
  /** What messages call it, e.g. `the splits table splits_0.csv`; absent: `the splits table`. */
  readonly what?: string;
  readonly text: string;
  /** Place among the files as they were given; absent: there is one. */
  readonly index?: number;
}

type NamedTable = SplitsTable & { readonly what: string };

/**
 * The rows that splits files name: by one file with their parts, by several, or by one with columns of folds, with their part in each
 * fold, which are in the order of the files or columns.
 *
 * @throws {UsageError} for slides that the labels table does not have, and as the readers of the files.
 */
export function assignSplits<Row extends LabelRow>(rows: readonly Row[], splits: readonly SplitsTable[]): Row[] {
  const [first, ...others] = splits;
  if (first === undefined) return [...rows];
  const tables = splits.map((table): NamedTable => ({ what: "the splits table", ...table }));
  const folds = tables.find((table) => read(table, isFoldTable));
  if (folds === undefined && others.length === 0)
    return assigned(rows, parseSplits(first.text, first.what), (part) => ({ part }));
  if (folds !== undefined && others.length > 0)
    throw new UsageError(`${folds.what} has columns of folds: it is given alone; there are ${splits.length} files`);
  const parts = folds === undefined ? foldsOfFiles(tables) : read(folds, parseFoldTable);
  return assigned(rows, parts, (foldParts) => ({ foldParts }));
}

/** What a reader makes of a file. @throws {SettingError} naming the file. */
function read<T>({ text, what, index }: NamedTable, reader: (text: string, what: string) => T): T {
  return about({ setting: "splits", ...(index === undefined ? {} : { index }) }, () => reader(text, what));
}

/** Each file is a fold. */
function foldsOfFiles(tables: readonly NamedTable[]): ReadonlyMap<string, FoldParts> {
  const files = tables.map((table) => read(table, parseSplits));
  const slides = new Set(files.flatMap((parts) => [...parts.keys()]));
  return new Map([...slides].map((slide) => [slide, files.map((parts) => parts.get(slide))]));
}

/** Rows that a splits file names, each with what it says. */
function assigned<Row extends LabelRow, T extends LabelPart | FoldParts>(
  rows: readonly Row[],
  parts: ReadonlyMap<string, T>,
  keyOf: (said: T) => Pick<LabelRow, "part" | "foldParts">,
): Row[] {
  assertKnown(rows, parts);
  return rows.flatMap((row) => {
    const said = parts.get(stemOf(row.slide));
    return said === undefined ? [] : [{ ...row, ...keyOf(said) }];
  });
}

function assertKnown(rows: readonly LabelRow[], parts: ReadonlyMap<string, LabelPart | FoldParts>): void {
  const known = new Set(rows.map(({ slide }) => stemOf(slide)));
  const missing = [...parts].filter(([slide]) => !known.has(slide));
  const [first] = missing;
  if (first === undefined) return;
  const [slide, said] = first;
  // One splits file is read beside its table; of many files a name would not say where it stands.
  const where =
    typeof said === "string"
      ? `table are not in the labels table, the first "${slide}"`
      : "tables are not in the labels table";
  throw new UsageError(`${missing.length} of ${parts.size} slides of the splits ${where}`);
}
