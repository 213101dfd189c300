import { inTurns, joinPieces, piecesOfText } from "./pieces.ts";
import { type Cell, checkedRows, type LazyTable } from "./table.ts";

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
 * @throws {DomainError} as {@link checkedRows}.
 * Source: RFC 4180.
 */
export function encodeCsv(table: LazyTable, options: CsvOptions = {}): Uint8Array<ArrayBuffer> {
  return joinPieces(csvPieces(table, options));
}

/** The bytes of {@link encodeCsv} in chunks, made as they are asked for. Others have their turn between any two. */
export function streamCsv(
  table: LazyTable,
  options: CsvOptions = {},
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  return inTurns(csvPieces(table, options));
}

function csvPieces(table: LazyTable, { isFormulaSafe = true }: CsvOptions): Generator<Uint8Array<ArrayBuffer>> {
  return piecesOfText(csvLines(table, isFormulaSafe));
}

function* csvLines(table: LazyTable, isFormulaSafe: boolean): Generator<string, void, undefined> {
  const names = table.columns.map(({ name }) => name);
  yield csvLine(names, isFormulaSafe);
  for (const row of checkedRows(table)) {
    yield csvLine(
      names.map((name) => row[name]),
      isFormulaSafe,
    );
  }
}

function csvLine(cells: readonly Cell[], isFormulaSafe: boolean): string {
  return `${cells.map((cell) => csvCell(cell, isFormulaSafe)).join(",")}\r\n`;
}

function csvCell(value: Cell, isFormulaSafe: boolean): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const text = isFormulaSafe && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}
