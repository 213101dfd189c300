import { Readable } from "node:stream";
import { DomainError } from "@parfocal/errors";
import { CsvError, parse } from "csv-parse";
import { MAX_LINE_LENGTH } from "./split-lines.ts";
import type { TableRecord } from "./table-record.ts";

/** What csv-parse gives for a record with `info`. */
interface InformedRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

/** The rows of a CSV with a heading, as {@link readRecords} gives them. `head` is the text up to the first line's end. */
export async function* readCsv(
  head: string,
  pieces: AsyncIterable<string>,
): AsyncGenerator<TableRecord, void, undefined> {
  const parser = parse({
    ...{ delimiter: delimiterOf(head), info: true, trim: true, record_delimiter: ["\r\n", "\n"] },
    ...{ skip_empty_lines: true, relax_column_count: true, max_record_size: MAX_LINE_LENGTH },
  });
  const source = Readable.from(pieces).on("error", (error) => parser.destroy(error));
  let names: readonly string[] | undefined;
  try {
    for await (const { record, info } of source.pipe(parser) as AsyncIterable<InformedRecord>) {
      if (names === undefined) names = headingOf(record);
      else yield recordOf(names, record, info.lines);
    }
  } catch (error) {
    throw error instanceof CsvError ? parseError(error) : error;
  } finally {
    source.destroy();
    parser.destroy();
  }
}

/** What stands most often between the names of the heading: a name may hold one of the others. */
function delimiterOf(head: string): string {
  const unquoted = head.split('"').filter((_, index) => index % 2 === 0);
  const timesOf = (delimiter: string): number =>
    unquoted.reduce((sum, part) => sum + part.split(delimiter).length - 1, 0);
  return [",", "\t", ";"].reduce((best, candidate) => (timesOf(candidate) > timesOf(best) ? candidate : best));
}

function headingOf(names: readonly string[]): readonly string[] {
  const nDistinct = new Set(names).size;
  if (nDistinct === names.length && !names.includes("")) return names;
  throw new DomainError("INVALID_ARGUMENT", `the heading has ${names.length} columns; each needs a name of its own`);
}

function recordOf(names: readonly string[], cells: readonly string[], line: number): TableRecord {
  if (cells.length !== names.length) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `line ${line} has ${cells.length} cells, the heading has ${names.length}`,
    );
  }
  return { line, values: new Map(names.map((name, index) => [name, cells[index] ?? ""])) };
}

/** The parser's own message may quote the line, which may name a patient: only its code and the line are told. */
function parseError(error: CsvError): DomainError {
  const lines: unknown = error.lines;
  const line = typeof lines === "number" ? `line ${lines}` : "the table";
  if (error.code === "CSV_MAX_RECORD_SIZE") {
    return new DomainError("RESOURCE_EXHAUSTED", `${line} begins a row of more than ${MAX_LINE_LENGTH} characters`);
  }
  return new DomainError("INVALID_ARGUMENT", `${line} is no CSV: ${error.code}`);
}
