import { parse } from "csv-parse/sync";
import { UsageError } from "../exit-codes.ts";

/** A table with a heading, of text. */
export interface TextTable {
  /** What messages call it, e.g. `the labels table`. */
  readonly what: string;
  /** Names of the columns as they stand. */
  readonly heading: readonly string[];
  readonly rows: readonly TextRow[];
}

/** One row of a table. */
export interface TextRow {
  /** Line in the file, from 1. */
  readonly line: number;
  /** As many as the heading has. */
  readonly cells: readonly string[];
}

/**
 * Reads a CSV with a heading.
 *
 * @param text UTF-8, RFC 4180, comma, semicolon or tab between the cells as its heading shows.
 * @throws {UsageError} when it is none, or has no rows.
 */
export function parseTable(text: string, what: string): TextTable {
  const [heading, ...rows] = readRecords(text, what);
  if (heading === undefined || rows.length === 0) throw new UsageError(`${what} has no rows`);
  return { what, heading: heading.cells, rows };
}

/** Place of the first of some names that a heading has, compared in lower case; -1 when it has none. */
export function findColumn({ heading }: Pick<TextTable, "heading">, names: readonly string[]): number {
  const lower = heading.map((name) => name.toLowerCase());
  return lower.indexOf(names.map((name) => name.toLowerCase()).find((name) => lower.includes(name)) ?? "\0");
}

/** A cell of a row; empty for a column that is not there. */
export function cellOf({ cells }: Pick<TextRow, "cells">, column: number): string {
  return cells[column] ?? "";
}

function readRecords(text: string, what: string): TextRow[] {
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
    throw new UsageError(`${what} is no CSV: ${error instanceof Error ? error.message : String(error)}`);
  }
}
