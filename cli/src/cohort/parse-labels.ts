import { parse } from "csv-parse/sync";
import { UsageError } from "../exit-codes.ts";

/** Parts that a table may assign. */
export type LabelPart = "train" | "validation" | "test";

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
  readonly patient?: string;
  /** Group of slides that has the label, e.g. a specimen. */
  readonly group?: string;
  readonly part?: LabelPart;
}

/** Names of columns that mean the same, in the order of preference. Compared in lower case. */
const COLUMNS = {
  slide: ["bag", "slide_id", "slide", "filename", "file", "image_id", "wsi"],
  label: ["label", "labels", "class", "target"],
  patient: ["patient_id", "patient", "case_id", "case", "submitter_id"],
  group: ["group_id", "specimen_id"],
  part: ["split", "part", "fold", "partition"],
} as const;

const PARTS: Readonly<Record<string, LabelPart>> = {
  train: "train",
  training: "train",
  val: "validation",
  valid: "validation",
  validation: "validation",
  test: "test",
  testing: "test",
};

/** Options of {@link parseLabels}. */
export interface ParseLabelsOptions {
  /** Column that holds the label; default `label`. */
  readonly labelColumn?: string;
}

/**
 * The rows of a labels CSV with a heading. Understands `slide_id` or `bag` with `label`, CLAM's `case_id,slide_id,label` and
 * STAMP's `PATIENT,FILENAME`. A label cell may hold several classes between semicolons; one that begins with a question mark is
 * not known. `split` assigns parts to all rows or to none.
 *
 * @param text UTF-8, RFC 4180, comma, semicolon or tab between the cells as its heading shows.
 * @throws {UsageError} naming the line and what it should be.
 */
export function parseLabels(text: string, options: ParseLabelsOptions = {}): LabelRow[] {
  const records = readRecords(text);
  const [heading, ...body] = records;
  if (heading === undefined || body.length === 0) throw new UsageError("the labels table has no rows");
  const names = heading.cells.map((name) => name.toLowerCase());
  const slideColumn = columnOf(names, COLUMNS.slide);
  const labelColumn = columnOf(names, options.labelColumn ? [options.labelColumn.toLowerCase()] : COLUMNS.label);
  if (slideColumn < 0 || labelColumn < 0) throw missingColumn(heading.cells, slideColumn < 0, options.labelColumn);
  const columns = {
    patient: columnOf(names, COLUMNS.patient),
    group: columnOf(names, COLUMNS.group),
    part: columnOf(names, COLUMNS.part),
  };
  const rows = body.map(({ cells, line }) => {
    const slide = cells[slideColumn] ?? "";
    if (slide === "") throw new UsageError(`line ${line} of the labels table names no slide`);
    return {
      line,
      slide,
      ...labelsOf(cells[labelColumn] ?? ""),
      ...keyOf("patient", cells[columns.patient] ?? ""),
      ...keyOf("group", cells[columns.group] ?? ""),
      ...partOf(cells[columns.part] ?? "", line),
    };
  });
  assertAllOrNone(rows);
  assertDistinct(rows);
  return rows;
}

function readRecords(text: string): { readonly cells: readonly string[]; readonly line: number }[] {
  const [firstLine = ""] = text.split(/\r?\n/, 1);
  const delimiter = [",", "\t", ";"].find((candidate) => firstLine.includes(candidate)) ?? ",";
  try {
    const records = parse(text, {
      bom: true,
      delimiter,
      info: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as readonly { readonly record: readonly string[]; readonly info: { readonly lines: number } }[];
    return records.map(({ record, info }) => ({ cells: record, line: info.lines }));
  } catch (error) {
    throw new UsageError(`the labels table is no CSV: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function columnOf(names: readonly string[], wanted: readonly string[]): number {
  return names.indexOf(wanted.find((name) => names.includes(name)) ?? "\0");
}

function missingColumn(heading: readonly string[], isSlide: boolean, labelColumn: string | undefined): UsageError {
  const wanted = isSlide ? "slide_id (or bag, slide, FILENAME)" : (labelColumn ?? "label");
  const hint = isSlide || labelColumn !== undefined ? "" : "; --label-column names another one";
  return new UsageError(`the labels table has no column ${wanted}, only ${heading.join(", ")}${hint}`);
}

function labelsOf(cell: string): Pick<LabelRow, "labels" | "unknownLabels"> {
  const names = cell
    .split(";")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  return {
    labels: names.filter((name) => !name.startsWith("?")),
    unknownLabels: names.filter((name) => name.startsWith("?")).map((name) => name.slice(1).trim()),
  };
}

function keyOf(name: "patient" | "group", cell: string): Pick<LabelRow, "patient" | "group"> {
  return cell === "" ? {} : { [name]: cell };
}

function partOf(cell: string, line: number): Pick<LabelRow, "part"> {
  if (cell === "") return {};
  const part = PARTS[cell.toLowerCase()];
  if (part === undefined) throw new UsageError(`line ${line}: split is "${cell}"; it is train, validation or test`);
  return { part };
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
