import { UsageError } from "../exit-codes.ts";
import { about } from "../setting-error.ts";
import { assignSplits, type SplitsTable } from "./assign-splits.ts";
import { joinClinical, PATIENT_COLUMNS } from "./join-clinical.ts";
import { missingNotes } from "./label-classes.ts";
import { isMissing } from "./label-numbers.ts";
import { createLabelReader, type LabelWish, type RowLabel } from "./label-reader.ts";
import type { LabelRow } from "./label-row.ts";
import { missingColumnText } from "./missing-column.ts";
import { missingColumns } from "./named-columns.ts";
import { partNamed } from "./parse-splits.ts";
import { cellOf, findColumn, parseTable, type TextRow, type TextTable } from "./read-table.ts";
import { SLIDE_COLUMNS } from "./slide-stem.ts";

export type { LabelRow } from "./label-row.ts";

/** Names of columns that mean the same, in the order of preference. Compared in lower case. */
const COLUMNS = {
  group: ["group_id", "specimen_id"],
  part: ["split", "part", "fold", "partition"],
} as const;

/** Options of {@link parseLabels}. */
export interface ParseLabelsOptions extends LabelWish {
  /** Column of the site; absent: sites do not matter. */
  readonly siteColumn?: string;
  /** Column that names the fold which tests a slide; absent: nobody's. */
  readonly foldColumn?: string;
  /** Text of a table of patients that has the labels; the other one then has the slides. */
  readonly clinical?: string;
  /** One file assigns parts to all rows, several, or one with columns of folds, a part in each fold. Slides in none are left out. */
  readonly splits?: readonly SplitsTable[];
}

/** What {@link parseLabels} makes of a table. */
export interface LabelTable {
  /** At least one. */
  readonly rows: readonly LabelRow[];
  /** One sentence per reason for which rows were left out, with their number and no name. */
  readonly notes: readonly string[];
}

/**
 * The rows of a labels CSV with a heading. Understands `slide_id` or `bag` with `label`, CLAM's `case_id,slide_id,label` with its split files, and
 * STAMP's `PATIENT,FILENAME` with a table of patients. A label cell may hold several classes between semicolons; one that begins with a question
 * mark is not known. Rows without a class are left out and counted, unless an empty cell says that no class holds (see `classReader`). `split`
 * assigns parts to all rows or to none.
 *
 * @param text UTF-8, RFC 4180, comma, semicolon or tab between the cells as its heading shows.
 * @throws {SettingError} naming the line, where there is one the column, and what it should be.
 */
export function parseLabels(text: string, options: ParseLabelsOptions = {}): LabelTable {
  return about({ setting: "labels" }, () => labelsOf(labelTable(text, options), options));
}

/**
 * The table that the labels are in.
 *
 * @param text UTF-8, as {@link parseLabels} takes it.
 * @throws {SettingError} for text that is none, and tables that do not go together.
 */
export function labelTable(text: string, { clinical }: Pick<ParseLabelsOptions, "clinical">): TextTable {
  const own = about({ setting: "labels" }, () => parseTable(text, "the labels table"));
  if (clinical === undefined) return own;
  const patients = about({ setting: "clinical" }, () => parseTable(clinical, "the clinical table"));
  return about({ setting: "labels" }, () => joinClinical(own, patients));
}

function labelsOf(table: TextTable, options: ParseLabelsOptions): LabelTable {
  const slideColumn = findColumn(table, SLIDE_COLUMNS);
  if (slideColumn < 0) throw new UsageError(missingColumnText(table, "slide_id (or bag, slide, FILENAME)"));
  const [missing] = missingColumns(table, options);
  if (missing !== undefined) throw missing;
  const columns = {
    patient: findColumn(table, PATIENT_COLUMNS),
    group: findColumn(table, COLUMNS.group),
    part: partColumn(table, options),
  };
  const labels = createLabelReader(table, options);
  const foldOf = foldReader(table, options.foldColumn);
  const siteOf = siteReader(table, options.siteColumn);
  const rows = table.rows.map((row): ReadRow => {
    const slide = cellOf(row, slideColumn);
    if (slide === "") throw new UsageError(`line ${row.line} of the labels table names no slide`);
    return {
      line: row.line,
      slide,
      ...labels.read(row),
      ...keyOf("patient", cellOf(row, columns.patient)),
      ...keyOf("group", cellOf(row, columns.group)),
      ...siteOf(row),
      ...foldOf(row),
      ...partOf(cellOf(row, columns.part), row.line),
    };
  });
  assertDistinct(rows);
  const { splits } = options;
  const parted = splits === undefined ? rows : about({ setting: "splits" }, () => assignSplits(rows, splits));
  return labelled(parted, labels);
}

/** A row that may be without a label. */
type ReadRow = LabelRow & Pick<RowLabel, "missing">;

/** The rows that have a label. */
function labelled(all: readonly ReadRow[], { mayBeClasses }: { readonly mayBeClasses: boolean }): LabelTable {
  const rows = all.filter(({ missing }) => missing === undefined);
  if (rows.length === 0) throw new UsageError("no row of the labels table has a label");
  assertAllOrNone(rows);
  const cells = all.flatMap(({ missing }) => missing ?? []);
  return { rows, notes: missingNotes(cells, "row", { of: " of the labels table", mayBeClasses }) };
}

/** Reads the site of a row, which it must have where sites matter. */
function siteReader(table: TextTable, name: string | undefined): (row: TextRow) => Pick<LabelRow, "site"> {
  if (name === undefined) return () => ({});
  const column = findColumn(table, [name]);
  return (row) => {
    const site = cellOf(row, column);
    if (site !== "") return { site };
    throw new UsageError(`line ${row.line} of the labels table, column ${name}: there is no site`);
  };
}

/** Reads the fold of a row; who has none is told once it is known who is labelled. */
function foldReader(table: TextTable, name: string | undefined): (row: TextRow) => Pick<LabelRow, "fold"> {
  if (name === undefined) return () => ({});
  const column = findColumn(table, [name]);
  return (row) => {
    const fold = cellOf(row, column);
    return isMissing(fold) ? {} : { fold };
  };
}

/** The column of parts: of several the first that is not one of folds. Splits files say the parts themselves. */
function partColumn(table: TextTable, { foldColumn, splits }: ParseLabelsOptions): number {
  if (splits !== undefined) return -1;
  const names = COLUMNS.part.filter((name) => name !== foldColumn?.toLowerCase());
  return findColumn(table, names);
}

function keyOf(name: "patient" | "group", cell: string): Pick<LabelRow, "patient" | "group"> {
  return cell === "" ? {} : { [name]: cell };
}

function partOf(cell: string, line: number): Pick<LabelRow, "part"> {
  if (cell === "") return {};
  const part = partNamed(cell);
  if (part !== undefined) return { part };
  throw new UsageError(
    `line ${line}: split is "${cell}"; it is train, validation or test; crossval takes a column of folds by --fold-column`,
  );
}

function assertAllOrNone(rows: readonly LabelRow[]): void {
  const without = rows.filter(({ part }) => part === undefined);
  if (without.length === 0 || without.length === rows.length) return;
  throw new UsageError(
    `${without.length} of ${rows.length} rows have no split, the first on line ${without[0]?.line}; all have one or none`,
  );
}

function assertDistinct(rows: readonly LabelRow[]): void {
  const seen = new Map<string, number>();
  for (const { slide, line } of rows) {
    const before = seen.get(slide);
    if (before !== undefined)
      throw new UsageError(`lines ${before} and ${line} of the labels table name the same slide`);
    seen.set(slide, line);
  }
}
