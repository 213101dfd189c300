import { DomainError } from "@parfocal/errors";

/** The text of UTF-8 chunks, a byte-order mark left out. @throws {DomainError} `INVALID_ARGUMENT` when it is no UTF-8. */
export async function* decodeText(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for await (const chunk of chunks) yield decoder.decode(chunk, { stream: true });
    yield decoder.decode();
  } catch (cause) {
    if (cause instanceof TypeError) throw new DomainError("INVALID_ARGUMENT", "the table is no UTF-8 text", { cause });
    throw cause;
  }
}
