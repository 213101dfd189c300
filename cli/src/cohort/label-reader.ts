import { SettingError } from "../setting-error.ts";
import { type ClassLabel, type ClassWish, classReader } from "./label-classes.ts";
import { columnsReader } from "./label-columns.ts";
import {
  type EventColumns,
  eventReader,
  hasEvents,
  numberReader,
  requiredColumn,
  type SurvivalLabel,
} from "./label-numbers.ts";
import { cellOf, findColumn, type TextRow, type TextTable } from "./read-table.ts";

/** Names of the column of labels, in the order of preference. */
const LABEL_COLUMNS = ["label", "labels", "class", "target"] as const;

/** What the label of a row is. */
export type LabelForm = "classes" | "numbers" | "events";

/** How labels are read. */
export interface LabelWish extends EventColumns, ClassWish {
  /** Column that holds the label; default `label`. Several, a comma between: numbers, or labels of a multi-label task. */
  readonly labelColumn?: string;
  /** Absent: times and events where the table has columns of these and none of labels, else classes. */
  readonly form?: LabelForm;
}

/** What a row says of its label. */
export interface RowLabel extends ClassLabel {
  /** Regression: numbers by the names of their columns, without those that are not known. */
  readonly values?: Readonly<Record<string, number>>;
  /** Survival and Cox. */
  readonly survival?: SurvivalLabel;
  /** Multi-label with a column for each label: all of them, in their order. */
  readonly columns?: readonly string[];
}

/** Reads the labels of a table. */
export interface LabelReader {
  /** @throws {UsageError} naming line and column of what cannot be read. */
  read(row: TextRow): RowLabel;
  /** Whether a word for a missing label may be a class. */
  readonly mayBeClasses: boolean;
}

const NO_CLASSES = { labels: [], unknownLabels: [] } as const;

/** A reader of a table's labels. @throws {UsageError} for columns that it does not have. */
export function createLabelReader(table: TextTable, wish: LabelWish): LabelReader {
  const form = formOf(table, wish);
  if (form === "events") {
    const eventOf = eventReader(table, wish);
    return { read: (row) => ({ ...NO_CLASSES, ...eventOf(row) }), mayBeClasses: false };
  }
  if (form === "numbers") return { read: numbersReader(table, wish), mayBeClasses: false };
  const names = columnsOf(table, wish);
  if (names === undefined) return { read: oneColumnReader(table, wish), mayBeClasses: true };
  return { read: columnsReader(table, names, wish.classes), mayBeClasses: false };
}

/** What the labels of a table are: what was said, else what its columns look like. */
export function formOf(table: TextTable, { form, labelColumn, timeColumn, eventColumn }: LabelWish): LabelForm {
  if (form !== undefined) return form;
  if (timeColumn !== undefined || eventColumn !== undefined) return "events";
  const hasLabel = labelColumn !== undefined || findColumn(table, LABEL_COLUMNS) >= 0;
  return !hasLabel && hasEvents(table) ? "events" : "classes";
}

function oneColumnReader(table: TextTable, wish: LabelWish): (row: TextRow) => RowLabel {
  const { labelColumn } = wish;
  const names = labelColumn === undefined ? LABEL_COLUMNS : [labelColumn];
  return classReader(table, requiredColumn(table, names, "--label-column (data.label_column)"), wish);
}

function numbersReader(table: TextTable, { labelColumn }: LabelWish): (row: TextRow) => RowLabel {
  const names = namesOf(labelColumn ?? numberColumn(table));
  const numbersOf = numberReader(table, names);
  const first = findColumn(table, names.slice(0, 1));
  return (row) => {
    const values = numbersOf(row);
    if (Object.keys(values).length > 0) return { ...NO_CLASSES, values };
    return { ...NO_CLASSES, missing: cellOf(row, first) };
  };
}

/** The column of numbers under one of the usual names of labels, as it is spelled. */
function numberColumn(table: TextTable): string {
  return table.heading[findColumn(table, LABEL_COLUMNS)] ?? "label";
}

/**
 * The columns of a table that has one for each label; undefined for one with a single column of classes. Columns that nobody named are
 * those of the classes of a multi-label task, where the table has them all and no column of labels.
 */
function columnsOf(table: TextTable, { labelColumn, classes = [], isMultilabel }: LabelWish): string[] | undefined {
  const isThere = (name: string) => findColumn(table, [name]) >= 0;
  if (labelColumn === undefined) {
    const isByClass = isMultilabel === true && classes.length > 0 && classes.every(isThere);
    return isByClass && findColumn(table, LABEL_COLUMNS) < 0 ? [...classes] : undefined;
  }
  const names = namesOf(labelColumn);
  // A single column may have a comma in its name.
  if (names.length < 2 || isThere(labelColumn)) return undefined;
  if (isMultilabel === true) return names;
  throw new SettingError(
    { setting: "labelColumn" },
    `the label column "${labelColumn}" is ${names.length} columns; a multilabel task takes one for each label, a regression one for each number, other tasks take one`,
  );
}

/** Names that stand with a comma between. */
export function namesOf(columns: string): string[] {
  return columns.split(",").map((name) => name.trim());
}
