import { DomainError } from "@parfocal/errors";
import { type Line, splitLines } from "./split-lines.ts";
import type { TableRecord } from "./table-record.ts";

/** The objects of JSON lines, as {@link readRecords} gives them. */
export async function* readJsonl(pieces: AsyncIterable<string>): AsyncGenerator<TableRecord, void, undefined> {
  for await (const line of splitLines(pieces)) if (line.text.trim() !== "") yield recordOf(line);
}

function recordOf({ number, text }: Line): TableRecord {
  const value = parseObject(text, number);
  const entries = Object.entries(value).map(([name, cell]) => [name, textOf(cell, number)] as const);
  return { line: number, values: new Map(entries) };
}

function parseObject(text: string, line: number): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // What the parser says quotes the line, which may name a patient.
  }
  throw new DomainError("INVALID_ARGUMENT", `line ${line} is no JSON object`);
}

function textOf(cell: unknown, line: number): string {
  if (cell === null) return "";
  if (typeof cell === "object") {
    throw new DomainError("INVALID_ARGUMENT", `line ${line} holds a nested value; text, numbers and null are allowed`);
  }
  return String(cell);
}
