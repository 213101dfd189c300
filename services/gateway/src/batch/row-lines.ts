import { DomainError } from "@parfocal/errors";

/** Something whose rows are many. */
interface WithRows {
  readonly rows: readonly unknown[];
}

/**
 * A value as JSON lines, with their ends: all of it but its rows, with their number as `nRows`, then a line for each row. The JSON of
 * 100 000 rows, each with the predictions of 16 models, is longer than any string may be.
 */
export function* linesOfRows({ rows, ...rest }: WithRows): Generator<string, void, undefined> {
  yield `${JSON.stringify({ ...rest, nRows: rows.length })}\n`;
  for (const row of rows) yield `${JSON.stringify(row)}\n`;
}

/**
 * The value that {@link linesOfRows} gave, from chunks of its lines.
 *
 * @throws {DomainError} `CORRUPT` when they are no such lines or not all; whatever the source throws.
 */
export async function rowsOfLines(chunks: AsyncIterable<Uint8Array>): Promise<WithRows> {
  const [heading, ...rows] = (await Array.fromAsync(splitLines(chunks), parseLine)) as [{ nRows?: unknown }?];
  const { nRows, ...rest } = heading ?? {};
  if (nRows !== rows.length) throw damaged();
  return { ...rest, rows };
}

/** The lines without their ends. */
async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let line = "";
  for await (const chunk of chunks) {
    const [rest = "", ...begun] = decoder.decode(chunk, { stream: true }).split("\n");
    line += rest;
    for (const next of begun) {
      yield line;
      line = next;
    }
  }
  if (line !== "") throw damaged();
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    // What the parser says quotes the line, which may name a patient.
    throw damaged();
  }
}

function damaged(): DomainError {
  return new DomainError("CORRUPT", "kept rows are damaged, or another version wrote them; start the operation anew");
}
