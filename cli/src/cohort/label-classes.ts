/**
 * Classes in tables of labels.
 */
import { UsageError } from "../exit-codes.ts";
import { plural } from "../output/units.ts";
import { isMissing } from "./label-numbers.ts";
import { cellOf, type TextRow, type TextTable } from "./read-table.ts";

/** What is known of the classes before they are read. */
export interface ClassWish {
  /** Classes that somebody stated: a word such as `NA` among them is a class. Absent or empty: nobody did. */
  readonly classes?: readonly string[];
  /** Whether the task is multi-label; absent: it is where a cell holds a list, see {@link classReader}. */
  readonly isMultilabel?: boolean;
}

/** What a cell says of the classes. */
export interface ClassLabel {
  /** Classes that hold. */
  readonly labels: readonly string[];
  /** Classes of which the cell says that it does not know. */
  readonly unknownLabels: readonly string[];
  /** The cell of a row without a label: empty, or a word that says so. */
  readonly missing?: string;
}

/** May be a class, as in `none,focal,extensive`, say that no class holds, or that there is no label. */
const NONE = /^none$/iu;

/**
 * A reader of a column of classes. A list has semicolons between classes, and a question mark before one that is not known. In a multi-label
 * task, and where nobody said what the task is but a cell holds a list, an empty cell has none of the classes. Else it is a row without
 * a label, as one with a word such as `NA` always is that the stated classes do not have.
 *
 * @throws {UsageError} from the reader, naming line and column: `none` where it may mean several things, a list with such a word in it.
 */
export function classReader(table: TextTable, column: number, wish: ClassWish = {}): (row: TextRow) => ClassLabel {
  const isMultilabel = wish.isMultilabel ?? table.rows.some((row) => isList(cellOf(row, column)));
  return (row) => {
    const cell = cellOf(row, column);
    const place = `line ${row.line} of ${table.what}, column ${table.heading[column]}`;
    if (isMultilabel && cell === "") return { labels: [], unknownLabels: [] };
    if (isMissingClass(cell, place, { ...wish, isMultilabel })) return { labels: [], unknownLabels: [], missing: cell };
    return labelsOf(cell, place, wish);
  };
}

/**
 * Whether a text stands for a label that is missing.
 *
 * @param place where it stands, for messages.
 * @throws {UsageError} when it is `none` and nothing says what that means.
 */
export function isMissingClass(text: string, place: string, { classes = [], isMultilabel }: ClassWish): boolean {
  if (!isMissing(text) || isStated(text, classes)) return false;
  if (NONE.test(text) && (classes.length === 0 || isMultilabel === true))
    throw new UsageError(
      `${place}: "${text}" may be a class or a missing label; state the classes or write another word`,
    );
  return true;
}

/**
 * One sentence on rows or bags without a label, with what stands in place of it; none when there are none.
 *
 * @param mayBeClasses whether such a word may be a class, as it cannot where labels are numbers or events.
 */
export function missingNotes(
  cells: readonly string[],
  noun: string,
  { of = "", mayBeClasses = true }: { readonly of?: string; readonly mayBeClasses?: boolean } = {},
): string[] {
  if (cells.length === 0) return [];
  const counts = [...Map.groupBy(cells, (cell) => cell)].map(
    ([cell, { length }]) => `${length} ${cell === "" ? "empty" : `"${cell}"`}`,
  );
  const advice =
    mayBeClasses && cells.some((cell) => cell !== "") ? "; state the classes to keep such a word as one" : "";
  return [`${plural(cells.length, noun)}${of} without a label: left out (${counts.join(", ")})${advice}`];
}

/** A question mark by itself names no class that is not known: the label is missing. */
function isList(cell: string): boolean {
  return cell.includes(";") || /^\?./u.test(cell);
}

/** In any case: what differs by it alone is no missing label but a class that is spelled otherwise, which is refused later. */
function isStated(text: string, classes: readonly string[]): boolean {
  return classes.some((name) => name.toLowerCase() === text.toLowerCase());
}

function labelsOf(cell: string, place: string, { classes = [] }: ClassWish): ClassLabel {
  const names = cell
    .split(";")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const labels = names.filter((name) => !name.startsWith("?"));
  const unknownLabels = names.filter((name) => name.startsWith("?")).map((name) => name.slice(1).trim());
  const strange = [...labels, ...unknownLabels].find((name) => isMissing(name) && !isStated(name, classes));
  if (strange === undefined) return { labels, unknownLabels };
  throw new UsageError(`${place}: "${strange}" is no class; ?name is a class that is not known`);
}
