import { UsageError } from "../exit-codes.ts";
import { joinClinical, PATIENT_COLUMNS } from "./join-clinical.ts";
import { type ClassLabel, type ClassWish, classReader, missingNotes } from "./label-classes.ts";
import { type EventColumns, eventReader, hasEvents, numberReader, type SurvivalLabel } from "./label-numbers.ts";
import { type LabelPart, parseSplits, partNamed } from "./parse-splits.ts";
import { cellOf, findColumn, parseTable, type TextRow, type TextTable } from "./read-table.ts";
import { stemOf } from "./slide-stem.ts";

/** One row of a labels table. */
export interface LabelRow {
  /** Line in the file, from 1, for messages. */
  readonly line: number;
  /** How the table names the bag: a slide, a file, a digest or a resource name. */
  readonly slide: string;
  /** Classes that hold. */
  readonly labels: readonly string[];
  /** Multi-label: classes of which the table says that it does not know. */
  readonly unknownLabels: readonly string[];
  /** Regression: numbers by the names of their columns, without those that are not known. */
  readonly values?: Readonly<Record<string, number>>;
  /** Survival and Cox. */
  readonly survival?: SurvivalLabel;
  readonly patient?: string;
  /** Group of slides that has the label, e.g. a specimen. */
  readonly group?: string;
  /** Hospital or scanner that the slide comes from. */
  readonly site?: string;
  readonly part?: LabelPart;
}

/** Names of columns that mean the same, in the order of preference. Compared in lower case. */
const COLUMNS = {
  slide: ["bag", "slide_id", "slide", "filename", "file", "image_id", "wsi"],
  label: ["label", "labels", "class", "target"],
  group: ["group_id", "specimen_id"],
  part: ["split", "part", "fold", "partition"],
} as const;

/** What the label of a row is. */
export type LabelForm = "classes" | "numbers" | "events";

/** Options of {@link parseLabels}. */
export interface ParseLabelsOptions extends EventColumns, ClassWish {
  /** Column that holds the label; default `label`. Of numbers there may be several, a comma between. */
  readonly labelColumn?: string;
  /** Column of the site; absent: sites do not matter. */
  readonly siteColumn?: string;
  /** Absent: times and events where the table has columns of these and none of labels, else classes. */
  readonly form?: LabelForm;
  /** Text of a table of patients that has the labels; the other one then has the slides. */
  readonly clinical?: string;
  /** Text of a split file, which assigns parts to all rows; slides that it leaves out are left out. */
  readonly splits?: string;
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
 * @throws {UsageError} naming the line, where there is one the column, and what it should be.
 */
export function parseLabels(text: string, options: ParseLabelsOptions = {}): LabelTable {
  const own = parseTable(text, "the labels table");
  const table =
    options.clinical === undefined ? own : joinClinical(own, parseTable(options.clinical, "the clinical table"));
  const slideColumn = findColumn(table, COLUMNS.slide);
  if (slideColumn < 0) throw missingColumn(table.heading, "slide_id (or bag, slide, FILENAME)");
  const columns = {
    patient: findColumn(table, PATIENT_COLUMNS),
    group: findColumn(table, COLUMNS.group),
    part: findColumn(table, COLUMNS.part),
  };
  const labelOf = labelReader(table, options);
  const siteOf = siteReader(table, options.siteColumn);
  const rows = table.rows.map((row): ReadRow => {
    const slide = cellOf(row, slideColumn);
    if (slide === "") throw new UsageError(`line ${row.line} of the labels table names no slide`);
    return {
      line: row.line,
      slide,
      ...labelOf(row),
      ...keyOf("patient", cellOf(row, columns.patient)),
      ...keyOf("group", cellOf(row, columns.group)),
      ...siteOf(row),
      ...(options.splits === undefined ? partOf(cellOf(row, columns.part), row.line) : {}),
    };
  });
  assertDistinct(rows);
  return labelled(options.splits === undefined ? rows : assigned(rows, parseSplits(options.splits)));
}

/** A row that may be without a label. */
type ReadRow = LabelRow & Pick<ClassLabel, "missing">;

/** The rows that have a label. */
function labelled(all: readonly ReadRow[]): LabelTable {
  const rows = all.filter(({ missing }) => missing === undefined);
  if (rows.length === 0) throw new UsageError("no row of the labels table has a label");
  assertAllOrNone(rows);
  const cells = all.flatMap(({ missing }) => missing ?? []);
  return { rows, notes: missingNotes(cells, "row", " of the labels table") };
}

/** Reads the site of a row, which it must have where sites matter. */
function siteReader(table: TextTable, name: string | undefined): (row: TextRow) => Pick<LabelRow, "site"> {
  if (name === undefined) return () => ({});
  const column = findColumn(table, [name]);
  if (column < 0) throw missingColumn(table.heading, name);
  return (row) => {
    const site = cellOf(row, column);
    if (site !== "") return { site };
    throw new UsageError(`line ${row.line} of the labels table, column ${name}: there is no site`);
  };
}

type RowLabel = ClassLabel & Pick<LabelRow, "values" | "survival">;

/** Reads the label of a row. */
function labelReader(table: TextTable, options: ParseLabelsOptions): (row: TextRow) => RowLabel {
  const { labelColumn, form = formOf(table, options) } = options;
  const noClasses = { labels: [], unknownLabels: [] };
  if (form === "events") {
    const eventOf = eventReader(table, options);
    return (row) => ({ ...noClasses, survival: eventOf(row) });
  }
  if (form === "numbers") {
    const names = (labelColumn ?? numberColumn(table)).split(",").map((name) => name.trim());
    const numbersOf = numberReader(table, names);
    return (row) => {
      const values = numbersOf(row);
      if (Object.keys(values).length > 0) return { ...noClasses, values };
      throw new UsageError(`line ${row.line} of the labels table, column ${names.join(", ")}: there is no number`);
    };
  }
  const column = findColumn(table, labelColumn === undefined ? COLUMNS.label : [labelColumn]);
  if (column < 0) throw missingColumn(table.heading, labelColumn ?? "label", labelColumn === undefined);
  return classReader(table, column, options);
}

function formOf(table: TextTable, { labelColumn, timeColumn, eventColumn }: ParseLabelsOptions): LabelForm {
  if (timeColumn !== undefined || eventColumn !== undefined) return "events";
  const hasLabel = labelColumn !== undefined || findColumn(table, COLUMNS.label) >= 0;
  return !hasLabel && hasEvents(table) ? "events" : "classes";
}

/** The column of numbers under one of the usual names of labels, as it is spelled. */
function numberColumn(table: TextTable): string {
  return table.heading[findColumn(table, COLUMNS.label)] ?? "label";
}

function missingColumn(heading: readonly string[], wanted: string, isHinted = false): UsageError {
  const hint = isHinted ? "; --label-column names another one" : "";
  return new UsageError(`the labels table has no column ${wanted}, only ${heading.join(", ")}${hint}`);
}

function keyOf(name: "patient" | "group", cell: string): Pick<LabelRow, "patient" | "group"> {
  return cell === "" ? {} : { [name]: cell };
}

function partOf(cell: string, line: number): Pick<LabelRow, "part"> {
  if (cell === "") return {};
  const part = partNamed(cell);
  if (part === undefined) throw new UsageError(`line ${line}: split is "${cell}"; it is train, validation or test`);
  return { part };
}

/** The rows that a split file names, with their parts. */
function assigned(rows: readonly ReadRow[], parts: ReadonlyMap<string, LabelPart>): ReadRow[] {
  const named = rows.flatMap((row) => {
    const part = parts.get(stemOf(row.slide));
    return part === undefined ? [] : [{ ...row, part }];
  });
  if (named.length === parts.size) return named;
  const known = new Set(rows.map(({ slide }) => stemOf(slide)));
  const missing = [...parts.keys()].filter((slide) => !known.has(slide));
  throw new UsageError(
    `${missing.length} of ${parts.size} slides of the splits table are not in the labels table, the first "${missing[0]}"`,
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
