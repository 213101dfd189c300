import { decodeText } from "./decode-text.ts";
import { readCsv } from "./read-csv.ts";
import { readJsonl } from "./read-jsonl.ts";
import { MAX_LINE_LENGTH } from "./split-lines.ts";
import type { TableRecord } from "./table-record.ts";

/**
 * The rows of a CSV with a heading (RFC 4180; comma, tab or semicolon as the heading shows) or of JSON lines, which begin with `{`.
 * Reads as it is asked for and holds one line at a time. Without rows it gives none.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for text that is neither, a row of another length than the heading, a nested JSON value,
 *   no UTF-8; `RESOURCE_EXHAUSTED` for a row of more than 1 048 576 characters. They name the line, never what is on it.
 */
export async function* readRecords(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TableRecord, void, undefined> {
  const pieces = decodeText(chunks);
  const head = await readHead(pieces);
  const all = chain(head, pieces);
  yield* head.trimStart().startsWith("{") ? readJsonl(all) : readCsv(head.trimStart().split("\n", 1)[0] ?? "", all);
}

/** The pieces up to the one in which the first line that is not blank ends, at least. */
async function readHead(pieces: AsyncGenerator<string, void, undefined>): Promise<string> {
  let head = "";
  while (!head.trimStart().includes("\n") && head.length <= MAX_LINE_LENGTH) {
    const next = await pieces.next();
    if (next.done === true) break;
    head += next.value;
  }
  return head;
}

async function* chain(head: string, pieces: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  yield head;
  yield* pieces;
}
