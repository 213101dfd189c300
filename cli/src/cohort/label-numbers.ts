/**
 * Numbers and times in tables of labels.
 */
import { UsageError } from "../exit-codes.ts";
import { cellOf, findColumn, type TextRow, type TextTable } from "./read-table.ts";

/** What is known of an event. */
export interface SurvivalLabel {
  readonly time: number;
  readonly event: boolean;
}

/** Columns that mean the same, in the order of preference. */
const TIME = [
  "time",
  "survival_months",
  "os_months",
  "survival_time",
  "months",
  "days",
  "os.time",
  "os_time",
  "follow_up",
];
const EVENT = ["event", "status", "os_event", "os_status", "vital_status", "os", "death"];
const CENSORED = ["censorship", "censored"];

/** What stands for a number that is not known. */
const MISSING = /^(?:|na|n\/a|nan|none|null|unknown|not available|\?)$/iu;
const HAPPENED = /^(?:1|1\.0|true|yes|event|dead|deceased|died|1:.*)$/iu;
const NOT_SEEN = /^(?:0|0\.0|false|no|censored|alive|living|0:.*)$/iu;

/** Reads the numbers of a row by their names. */
export type NumberReader = (row: TextRow) => Readonly<Record<string, number>>;

/** A reader of some columns, which are the numbers' names. @throws {UsageError} naming a column that is not there. */
export function numberReader(table: TextTable, names: readonly string[]): NumberReader {
  const columns = names.map((name) => ({ name, column: requiredColumn(table, [name], "--label-column") }));
  return (row) =>
    Object.fromEntries(
      columns.flatMap(({ name, column }) => {
        const cell = cellOf(row, column);
        return MISSING.test(cell) ? [] : [[name, numberOf(cell, table, row.line, table.heading[column] ?? name)]];
      }),
    );
}

/** Columns of time and event, where a table does not have the usual ones. */
export interface EventColumns {
  readonly timeColumn?: string;
  readonly eventColumn?: string;
}

/** Whether a table has columns of times and events by their usual names. */
export function hasEvents(table: TextTable): boolean {
  return findColumn(table, TIME) >= 0 && findColumn(table, [...EVENT, ...CENSORED]) >= 0;
}

/**
 * A reader of times and events. A column `censorship` says the opposite of `event`, as in CLAM's survival tables.
 *
 * @throws {UsageError} naming table and column, and from the reader the line: a column that is not there, a time that is no number or
 * negative, an event that is neither 0 nor 1 (or a usual word for either).
 */
export function eventReader(
  table: TextTable,
  { timeColumn, eventColumn }: EventColumns,
): (row: TextRow) => SurvivalLabel {
  const time = requiredColumn(table, timeColumn === undefined ? TIME : [timeColumn], "--time-column");
  const names = eventColumn === undefined ? [...EVENT, ...CENSORED] : [eventColumn];
  const event = requiredColumn(table, names, "--event-column");
  const [timeName = "", eventName = ""] = [table.heading[time], table.heading[event]];
  const isOpposite = CENSORED.includes(eventName.toLowerCase());
  return (row) => {
    const value = numberOf(cellOf(row, time), table, row.line, timeName);
    if (value < 0) throw new UsageError(`line ${row.line} of ${table.what}, column ${timeName}: ${value} is below 0`);
    const cell = cellOf(row, event);
    const isOne = HAPPENED.test(cell);
    if (!isOne && !NOT_SEEN.test(cell))
      throw new UsageError(`line ${row.line} of ${table.what}, column ${eventName}: "${cell}" is neither 0 nor 1`);
    return { time: value, event: isOne !== isOpposite };
  };
}

function requiredColumn(table: TextTable, names: readonly string[], option: string): number {
  const column = findColumn(table, names);
  if (column >= 0) return column;
  const hint = names.length > 1 ? `; ${option} names another one` : "";
  throw new UsageError(`${table.what} has no column ${names[0]}, only ${table.heading.join(", ")}${hint}`);
}

function numberOf(cell: string, { what }: TextTable, line: number, column: string): number {
  const value = cell === "" ? Number.NaN : Number(cell);
  if (Number.isFinite(value)) return value;
  throw new UsageError(
    `line ${line} of ${what}, column ${column}: ${cell === "" ? "empty" : `"${cell}"`} is no number`,
  );
}
