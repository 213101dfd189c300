import { chunksOfBody, type PutBody } from "../body.ts";

/** S3 takes at most this many parts. */
export const MAX_PARTS = 10_000;

/**
 * The size of an upload's parts: as configured, larger for bytes that would need more than 10 000. Streams, whose length
 * nobody knows, keep the configured size.
 */
export function partSizeFor(body: PutBody, partSizeBytes: number): number {
  if (!(body instanceof Uint8Array)) return partSizeBytes;
  return Math.max(partSizeBytes, Math.ceil(body.length / MAX_PARTS));
}

/**
 * A body as parts of exactly `partSizeBytes`, the last one shorter; an empty body is one empty part. Parts of bytes are
 * views; parts of streams are copies, so that a part can be sent again.
 */
export async function* partsOfBody(
  body: PutBody,
  partSizeBytes: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) {
    for (let at = 0; at === 0 || at < body.length; at += partSizeBytes) yield body.subarray(at, at + partSizeBytes);
    return;
  }
  let pending: Uint8Array[] = [];
  let nPending = 0;
  for await (const chunk of chunksOfBody(body, signal)) {
    for (let at = 0; at < chunk.length; ) {
      // A full part waits for the next byte: only then is it known not to be the last.
      if (nPending === partSizeBytes) {
        yield concat(pending, nPending);
        pending = [];
        nPending = 0;
      }
      // Not `slice`, which is a view where the chunk is a Buffer.
      const piece = new Uint8Array(chunk.subarray(at, at + partSizeBytes - nPending));
      pending.push(piece);
      nPending += piece.length;
      at += piece.length;
    }
  }
  yield concat(pending, nPending);
}

function concat(pieces: readonly Uint8Array[], nBytes: number): Uint8Array {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const part = new Uint8Array(nBytes);
  let at = 0;
  for (const piece of pieces) {
    part.set(piece, at);
    at += piece.length;
  }
  return part;
}
