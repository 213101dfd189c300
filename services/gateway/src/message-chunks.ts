/**
 * Bytes of one message that carries a piece of a file. gRPC holds up to 16 messages for a reader who does not read, so that this is what a
 * slow one costs.
 */
const CHUNK_BYTES = 64 * 1024;

/** A file's bytes as they come, in pieces of at most 64 KiB that fit messages; each is a copy, which the stream may not change any more. */
export async function* messageChunks(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  for await (const part of bytes) {
    for (let at = 0; at < part.byteLength; at += CHUNK_BYTES) yield Buffer.from(part.subarray(at, at + CHUNK_BYTES));
  }
}
