import { UsageError } from "../exit-codes.ts";
import { cellOf, findColumn, parseTable, type TextTable } from "./read-table.ts";
import { stemOf } from "./slide-stem.ts";

/** Parts that a table may assign. */
export type LabelPart = "train" | "validation" | "test";

/** Parts by the names that tables give them. */
const PARTS: Readonly<Record<string, LabelPart>> = {
  train: "train",
  training: "train",
  val: "validation",
  valid: "validation",
  validation: "validation",
  test: "test",
  testing: "test",
};

const COLUMNS: readonly (readonly [LabelPart, readonly string[]])[] = [
  ["train", ["train"]],
  ["validation", ["val", "validation"]],
  ["test", ["test"]],
];

/** The part that a word means; undefined for none. */
export function partNamed(word: string): LabelPart | undefined {
  return PARTS[word.toLowerCase()];
}

/**
 * The parts of slides, by their names without the ending of a file. Understands CLAM's split files: columns `train`, `val` and `test` that list slides,
 * or hold `True` and `False` behind a first column of slides.
 *
 * @throws {UsageError} naming line and column.
 */
export function parseSplits(text: string, what = "the splits table"): ReadonlyMap<string, LabelPart> {
  const table = parseTable(text, what);
  const columns = COLUMNS.flatMap(([part, names]) => {
    const column = findColumn(table, names);
    return column < 0 ? [] : [{ part, column }];
  });
  if (!columns.some(({ part }) => part === "train"))
    throw new UsageError(`${what} has no column train, only ${table.heading.join(", ")}`);
  const parts = new Map<string, LabelPart>();
  for (const { slide, part, line } of isFlags(table, columns) ? flagged(table, columns) : listed(table, columns)) {
    const before = parts.get(slide);
    if (before !== undefined)
      throw new UsageError(`line ${line} of ${what} puts a slide into ${part} that is in ${before}`);
    parts.set(slide, part);
  }
  return parts;
}

interface PartColumn {
  readonly part: LabelPart;
  readonly column: number;
}

interface Assigned {
  readonly slide: string;
  readonly part: LabelPart;
  readonly line: number;
}

const FLAG = /^(?:true|false)$/iu;

function isFlags({ rows }: TextTable, columns: readonly PartColumn[]): boolean {
  return rows.every((row) => columns.every(({ column }) => FLAG.test(cellOf(row, column))));
}

function flagged({ rows, what }: TextTable, columns: readonly PartColumn[]): Assigned[] {
  return rows.map((row) => {
    const [held, ...others] = columns.filter(({ column }) => /^true$/iu.test(cellOf(row, column)));
    if (held === undefined || others.length > 0)
      throw new UsageError(
        `line ${row.line} of ${what} is True in ${others.length + Number(held !== undefined)} columns; it is in 1`,
      );
    return { slide: stemOf(cellOf(row, 0)), part: held.part, line: row.line };
  });
}

/** Columns are of different lengths: cells at their ends are empty. */
function listed({ rows }: TextTable, columns: readonly PartColumn[]): Assigned[] {
  return rows.flatMap((row) =>
    columns.flatMap(({ part, column }) => {
      const slide = cellOf(row, column);
      return slide === "" ? [] : [{ slide: stemOf(slide), part, line: row.line }];
    }),
  );
}
