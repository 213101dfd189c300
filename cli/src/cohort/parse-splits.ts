import { UsageError } from "../exit-codes.ts";
import { isMissing } from "./label-numbers.ts";
import { missingColumnText } from "./missing-column.ts";
import { cellOf, findColumn, parseTable, type TextRow, type TextTable } from "./read-table.ts";
import { SLIDE_COLUMNS, stemOf } from "./slide-stem.ts";

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
  if (!columns.some(({ part }) => part === "train")) throw new UsageError(missingColumnText(table, "train"));
  const parts = new Map<string, LabelPart>();
  for (const { slide, part, line } of isFlags(table, columns) ? flagged(table, columns) : listed(table, columns)) {
    const before = parts.get(slide);
    if (before !== undefined)
      throw new UsageError(`line ${line} of ${what} puts a slide into ${part} that is in ${before}`);
    parts.set(slide, part);
  }
  return parts;
}

/** A slide's part in each fold, in the order of the folds; undefined where a fold leaves it out. */
export type FoldParts = readonly (LabelPart | undefined)[];

const FOLD_COLUMN = /^fold_?(?<number>\d+)$/iu;

/** Whether a table has columns of folds, `fold_0`, `fold_1`, …, as Patho-Bench's have, and none of parts. */
export function isFoldTable(text: string, what: string): boolean {
  const table = parseTable(text, what);
  return foldColumns(table).length > 0 && findColumn(table, ["train"]) < 0;
}

/**
 * The parts of slides in each fold, by their names without the ending of a file: a row for each slide, and for each fold a column with
 * `train`, `val` or `test`.
 *
 * @throws {UsageError} naming line and column.
 */
export function parseFoldTable(text: string, what: string): ReadonlyMap<string, FoldParts> {
  const table = parseTable(text, what);
  const slideColumn = findColumn(table, SLIDE_COLUMNS);
  if (slideColumn < 0) throw new UsageError(missingColumnText(table, "slide_id"));
  const columns = foldColumns(table);
  const folds = new Map<string, FoldParts>();
  for (const row of table.rows) {
    const slide = stemOf(cellOf(row, slideColumn));
    if (slide === "") throw new UsageError(`line ${row.line} of ${what} names no slide`);
    if (folds.has(slide)) throw new UsageError(`line ${row.line} of ${what} names a slide that is named before`);
    folds.set(
      slide,
      columns.map((column) => foldPart(table, row, column)),
    );
  }
  return folds;
}

/** Places of the columns of folds, by their numbers. */
function foldColumns({ heading }: TextTable): number[] {
  const numbered = heading.flatMap((name, column) => {
    const digits = FOLD_COLUMN.exec(name)?.groups?.number;
    return digits === undefined ? [] : [{ column, number: Number(digits) }];
  });
  return numbered.sort((a, b) => a.number - b.number).map(({ column }) => column);
}

function foldPart({ what, heading }: TextTable, row: TextRow, column: number): LabelPart | undefined {
  const cell = cellOf(row, column);
  const part = partNamed(cell);
  if (part !== undefined || isMissing(cell)) return part;
  throw new UsageError(
    `line ${row.line} of ${what}, column ${heading[column]}: "${cell}" is none of train, val and test, or empty`,
  );
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
