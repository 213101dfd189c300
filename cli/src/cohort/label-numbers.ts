/**
 * Numbers and times in tables of labels.
 */
import { UsageError } from "../exit-codes.ts";
import { missingColumnText } from "./missing-column.ts";
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

/** Further columns in which a 1 says that there was no event; they have to be named. */
const ALIVE = ["is_censored", "alive", "is_alive", "living", "survived"];
/** Columns in which a 1 is an event to some and none to others: registries write 1 for the living, R's data sets 1 for an event. */
const OPEN = ["vital_status", "survival", "survival_status", "overall_survival", "cens", "censor", "censoring"];

/** What stands for a number or a class that is not known. */
const MISSING = /^(?:|na|n\/a|nan|none|null|unknown|not available|\?)$/iu;

/** In a column of events this may say that there was none. */
const NONE = /^none$/iu;

/** Words that say whether there was an event whatever their column is called. */
const HAPPENED = /^(?:event|dead|deceased|died)$/iu;
const NOT_SEEN = /^(?:censored|alive|living)$/iu;
/** Words that answer what their column asks. */
const YES = /^(?:1|1\.0|true|yes)$/iu;
const NO = /^(?:0|0\.0|false|no)$/iu;
/** cBioPortal's states: `0:LIVING`, `1:DECEASED`, `1:Recurred/Progressed`. */
const CODED = /^(?<digit>[01]):\s*(?<text>.*)$/u;

/** Whether a cell is empty or says that its value is not known. */
export function isMissing(cell: string): boolean {
  return MISSING.test(cell);
}

/** Reads the numbers of a row by their names. */
export type NumberReader = (row: TextRow) => Readonly<Record<string, number>>;

/** A reader of some columns, which are the numbers' names. @throws {UsageError} naming a column that is not there. */
export function numberReader(table: TextTable, names: readonly string[]): NumberReader {
  const columns = names.map((name) => ({ name, column: requiredColumn(table, [name], "--label-column") }));
  return (row) =>
    Object.fromEntries(
      columns.flatMap(({ name, column }) => {
        const cell = cellOf(row, column);
        return isMissing(cell) ? [] : [[name, numberOf(cell, table, row.line, table.heading[column] ?? name)]];
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

/** What a row says of an event: when, or which cell says that it is not known. */
export type EventReading = { readonly survival: SurvivalLabel } | { readonly missing: string };

/**
 * A reader of times and events; a row of which either is empty or says that it is not known has none. A 1 or a yes in a column `censorship` says the opposite of one in `event`, as in CLAM's survival tables;
 * words such as `dead` and `censored` mean themselves in every column. `none` may say that there was no event: it is refused as one.
 *
 * @throws {UsageError} naming table and column, and from the reader the line: a column that is not there, a time that is no number or
 * negative, an event that is neither 0 nor 1 (or a usual word for either), or a 0 or 1 of which the column does not say what it means.
 */
export function eventReader(
  table: TextTable,
  { timeColumn, eventColumn }: EventColumns,
): (row: TextRow) => EventReading {
  const time = requiredColumn(
    table,
    timeColumn === undefined ? TIME : [timeColumn],
    "--time-column (data.time_column)",
  );
  const names = eventColumn === undefined ? [...EVENT, ...CENSORED] : [eventColumn];
  const event = requiredColumn(table, names, "--event-column (data.event_column)");
  const yes = yesOf(table.heading[event] ?? "");
  return (row) => {
    const [timeCell, eventCell] = [cellOf(row, time), cellOf(row, event)];
    const hasEvent = !isMissing(eventCell) || NONE.test(eventCell);
    // What is there is read though the other is missing: a cell that cannot be read is a mistake in any row.
    const value = isMissing(timeCell) ? undefined : timeOf(timeCell, table, row.line, time);
    const isEvent = hasEvent ? readEvent(eventCell, yes, table, { line: row.line, column: event }) : undefined;
    if (value === undefined || isEvent === undefined) return { missing: value === undefined ? timeCell : eventCell };
    return { survival: { time: value, event: isEvent } };
  };
}

function timeOf(cell: string, table: TextTable, line: number, column: number): number {
  const name = table.heading[column] ?? "";
  const value = numberOf(cell, table, line, name);
  if (value < 0) throw new UsageError(`line ${line} of ${table.what}, column ${name}: ${value} is below 0`);
  return value;
}

function readEvent(
  cell: string,
  yes: boolean | undefined,
  { what, heading }: TextTable,
  { line, column }: { readonly line: number; readonly column: number },
): boolean {
  const isEvent = eventOf(cell, yes);
  if (isEvent !== undefined) return isEvent;
  throw new UsageError(`line ${line} of ${what}, column ${heading[column]}: ${noEvent(cell)}`);
}

/** Whether a 1 or a yes is an event in a column of this name; undefined: the name leaves it open. */
function yesOf(column: string): boolean | undefined {
  const name = column.toLowerCase().replaceAll(/[ .-]+/gu, "_");
  if (CENSORED.includes(name) || ALIVE.includes(name)) return false;
  return OPEN.includes(name) ? undefined : true;
}

/** Whether a cell tells of an event; undefined: that cannot be said. `yes` is what {@link yesOf} says of its column. */
function eventOf(cell: string, yes: boolean | undefined): boolean | undefined {
  const { digit, text = cell } = CODED.exec(cell)?.groups ?? {};
  const coded = digit === undefined || yes !== true ? undefined : digit === "1";
  if (HAPPENED.test(text) || NOT_SEEN.test(text)) {
    const isEvent = HAPPENED.test(text);
    return coded === undefined || coded === isEvent ? isEvent : undefined;
  }
  if (digit !== undefined) return coded;
  if (yes === undefined || !(YES.test(cell) || NO.test(cell))) return undefined;
  return YES.test(cell) === yes;
}

/** Why a cell is not taken for an event or its absence. */
function noEvent(cell: string): string {
  const isOpen = YES.test(cell) || NO.test(cell) || CODED.test(cell);
  return isOpen ? `"${cell}" may mean an event or none; write event or censored` : `"${cell}" is neither 0 nor 1`;
}

/** Place of the first of some columns. @throws {UsageError} naming the first where there is none. */
export function requiredColumn(table: TextTable, names: readonly string[], option: string): number {
  const column = findColumn(table, names);
  if (column >= 0) return column;
  const [first = "", ...others] = names;
  if (others.length === 0) throw new UsageError(missingColumnText(table, first));
  throw new UsageError(
    `${table.what} has no column ${first}, only ${table.heading.join(", ")}; ${option} names another one`,
  );
}

/** A cell that is not missing as a number. */
function numberOf(cell: string, { what }: TextTable, line: number, column: string): number {
  const value = Number(cell);
  if (Number.isFinite(value)) return value;
  throw new UsageError(`line ${line} of ${what}, column ${column}: "${cell}" is no number`);
}
