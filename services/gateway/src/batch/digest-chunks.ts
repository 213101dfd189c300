import { createHash } from "node:crypto";

/** SHA-256, 64 hexadecimal digits, and size of bytes. */
export interface Digest {
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Chunks that are measured while they go by. */
export interface DigestedChunks {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Of all chunks, once they have gone by. */
  digest(): Digest;
}

/** Measures a stream, which need not be in memory for it. */
export function digestChunks(source: AsyncIterable<Uint8Array>): DigestedChunks {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of source) {
      hash.update(chunk);
      sizeBytes += chunk.byteLength;
      yield chunk;
    }
  }
  return { chunks: chunks(), digest: () => ({ sha256: hash.digest("hex"), sizeBytes }) };
}
