/**
 * Multi-label tables with a column for each label.
 */
import { UsageError } from "../exit-codes.ts";
import { SettingError } from "../setting-error.ts";
import type { ClassLabel } from "./label-classes.ts";
import { isMissing, requiredColumn } from "./label-numbers.ts";
import { cellOf, type TextRow, type TextTable } from "./read-table.ts";

/** Words for a label that holds and for one that does not; tables of numbers with gaps write `1.0`. */
const HOLDS = /^(?:1|1\.0|true|yes|positive|mut|mutated)$/iu;
const HOLDS_NOT = /^(?:0|0\.0|false|no|negative|wt|wildtype)$/iu;
const ALLOWED = "1/0, true/false, yes/no, positive/negative, mut/wt, mutated/wildtype, or empty where it is not known";

/** May say that nothing was found, or that nobody looked. */
const NONE = /^none$/iu;

/** What a row with a column for each label says. */
export interface ColumnsLabel extends ClassLabel {
  /** All labels that have a column, in the order that was asked for. */
  readonly columns: readonly string[];
}

/**
 * A reader of columns, which are the labels' names. An empty cell, or one with a word such as `NA`, is not known; a row of which no
 * label is known has none.
 *
 * @param classes labels that the task has; what has no column is not known.
 * @throws {UsageError} naming a column that is not there or is named twice; from the reader naming line, column and what is allowed.
 */
export function columnsReader(
  table: TextTable,
  names: readonly string[],
  classes: readonly string[] = [],
): (row: TextRow) => ColumnsLabel {
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) {
    const message = `the label column "${twice}" is named twice; a label has one column`;
    throw new SettingError({ setting: "labelColumn" }, message);
  }
  const columns = names.map((name) => ({ name, column: requiredColumn(table, [name], "--label-column") }));
  const others = classes.filter((name) => !names.includes(name));
  return (row) => {
    const said = columns.map(({ name, column }) => ({ name, holds: readCell(table, row, column) }));
    const namesOf = (holds: boolean | undefined) => said.flatMap((each) => (each.holds === holds ? [each.name] : []));
    const unknownLabels = namesOf(undefined);
    const label = { labels: namesOf(true), unknownLabels: [...unknownLabels, ...others], columns: names };
    const isMissingAll = unknownLabels.length === names.length;
    return isMissingAll ? { ...label, missing: cellOf(row, columns[0]?.column ?? -1) } : label;
  };
}

/** Whether a label holds; undefined: that is not known. */
function readCell({ what, heading }: TextTable, row: TextRow, column: number): boolean | undefined {
  const cell = cellOf(row, column);
  if (HOLDS.test(cell)) return true;
  if (HOLDS_NOT.test(cell)) return false;
  if (isMissing(cell) && !NONE.test(cell)) return undefined;
  throw new UsageError(`line ${row.line} of ${what}, column ${heading[column]}: "${cell}" is none of ${ALLOWED}`);
}
