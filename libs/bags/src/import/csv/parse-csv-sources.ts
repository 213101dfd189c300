import { createHash } from "node:crypto";
import { DomainError } from "@parfocal/errors";
import { MAX_FEATURES } from "../../bag-limits.ts";
import type { SourceBag } from "../source-bag.ts";
import { type CsvColumns, columnsOf } from "./csv-columns.ts";
import { parseNumber } from "./parse-number.ts";
import { splitLine } from "./split-line.ts";

/** The longest text that JavaScript holds in one string is a little above this. */
const MAX_CSV_BYTES = 512_000_000;

/** Rows of one bag, in the order of the file. */
interface Rows {
  readonly name: string;
  readonly label: string;
  readonly values: number[];
}

/**
 * The bags of a CSV file, in the order in which they first appear: one instance per row, with label, bag id and features.
 * Without a header these stand in this order; with one, label and bag id are found by name. Rows of a bag need not be
 * together. The whole file is checked before the first bag is given.
 *
 * @param bytes UTF-8 text.
 * @throws {DomainError} EMPTY_BAG without rows; SHAPE_MISMATCH for a row of another length; CORRUPT for a cell that is no
 * number; NON_FINITE for NaN and infinity; TRUNCATED when the last line breaks off; INVALID_ARGUMENT for a bag with two
 * labels; UNSUPPORTED_FORMAT when label and bag id cannot be told.
 */
export function* parseCsvSources(bytes: Uint8Array): Generator<SourceBag> {
  const lines = linesOf(bytes);
  const first = splitLine(lines[0]?.text ?? "", 1);
  const columns = columnsOf(first);
  const body = columns.hasHeader ? lines.slice(1) : lines;
  if (body.length === 0) throw new DomainError("EMPTY_BAG", "the CSV file has no rows");
  const isEnded = bytes.at(-1) === 0x0a;
  const bags = groupRows(body, columns, first.length, isEnded);
  for (const bag of bags.values()) yield sourceFrom(bag, columns);
}

function linesOf(bytes: Uint8Array): readonly { text: string; number: number }[] {
  if (bytes.length > MAX_CSV_BYTES) {
    throw new DomainError(
      "RESOURCE_EXHAUSTED",
      `the CSV file has ${bytes.length} bytes, the bound is ${MAX_CSV_BYTES}: split it`,
    );
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new DomainError("CORRUPT", "the CSV file is no UTF-8 text", { cause });
  }
  const lines = text.split(/\r?\n/u).map((line, index) => ({ text: line, number: index + 1 }));
  return lines.filter((line) => line.text.trim() !== "");
}

function groupRows(
  lines: readonly { text: string; number: number }[],
  columns: CsvColumns,
  width: number,
  isEnded: boolean,
): ReadonlyMap<string, Rows> {
  const bags = new Map<string, Rows>();
  for (const [index, { text, number }] of lines.entries()) {
    const cells = splitLine(text, number);
    if (cells.length !== width) throw widthError(cells.length, width, number, !isEnded && index === lines.length - 1);
    const bag = bagOf(bags, cells[columns.bag] ?? "", cells[columns.label] ?? "", number);
    for (const column of columns.features) bag.values.push(parseNumber(cells[column] ?? "", number, column + 1));
  }
  return bags;
}

function bagOf(bags: Map<string, Rows>, name: string, label: string, lineNumber: number): Rows {
  if (name === "") throw new DomainError("CORRUPT", `line ${lineNumber} has no bag id`);
  const bag = bags.get(name) ?? { name, label, values: [] };
  if (bag.label !== label) throw new DomainError("INVALID_ARGUMENT", `line ${lineNumber} gives its bag a second label`);
  bags.set(name, bag);
  return bag;
}

function widthError(actual: number, wanted: number, lineNumber: number, isLast: boolean): DomainError {
  const message = `line ${lineNumber} has ${actual} cells, the first line has ${wanted}`;
  return isLast && actual < wanted
    ? new DomainError("TRUNCATED", `${message} and it breaks off there`)
    : new DomainError("SHAPE_MISMATCH", message);
}

function sourceFrom({ name, label, values }: Rows, columns: CsvColumns): SourceBag {
  const d = columns.features.length;
  if (d > MAX_FEATURES)
    throw new DomainError("SHAPE_MISMATCH", `a row has ${d} features, the bound is ${MAX_FEATURES}`);
  // Doubles here, narrowed with the check of every other F64 source.
  const data = new Uint8Array(Float64Array.from(values).buffer);
  const sourceDigest = createHash("sha256")
    .update(JSON.stringify([name, label, d]))
    .update(data)
    .digest("hex");
  return {
    layout: "mil-csv",
    features: { dtype: "F64", shape: [values.length / d, d], data },
    coordUnit: "none",
    claims: {},
    notes: columns.hasHeader ? ["label and bag id found by the names of their columns"] : [],
    sourceDigest,
    sourceLabel: label,
    name,
  };
}
