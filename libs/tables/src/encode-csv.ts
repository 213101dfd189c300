import { assertTable, type Cell, type Table } from "./table.ts";

/** Settings of {@link encodeCsv}. */
export interface CsvOptions {
  /**
   * Whether text that a spreadsheet would run as a formula (it starts with =, +, -, @, tab or carriage return) gets an apostrophe in
   * front. Default true; false keeps such text byte for byte.
   */
  readonly isFormulaSafe?: boolean;
}

/**
 * A table as CSV with a heading: UTF-8 without a byte-order mark, CRLF, quotes doubled, numbers in full precision, empty cells for
 * what is missing. The same table gives the same bytes.
 *
 * @throws {DomainError} as {@link assertTable}.
 * Source: RFC 4180.
 */
export function encodeCsv(table: Table, options: CsvOptions = {}): Uint8Array {
  assertTable(table);
  const isFormulaSafe = options.isFormulaSafe ?? true;
  const lineOf = (cells: readonly Cell[]): string =>
    `${cells.map((cell) => csvCell(cell, isFormulaSafe)).join(",")}\r\n`;
  const names = table.columns.map(({ name }) => name);
  const body = table.rows.map((row) => lineOf(names.map((name) => row[name])));
  return new TextEncoder().encode(lineOf(names) + body.join(""));
}

function csvCell(value: Cell, isFormulaSafe: boolean): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const text = isFormulaSafe && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}
