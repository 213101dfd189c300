import { createHash } from "node:crypto";
import type { ObjectStore, PutOptions } from "@parfocal/store";
import { type Digest, digestChunks } from "./digest-chunks.ts";

/**
 * Writes an object and tells digest and size.
 *
 * @throws {DomainError} the store's own codes; whatever a stream throws. Nothing of the object is there then.
 */
export async function putDigested(
  store: ObjectStore,
  key: string,
  body: Uint8Array | AsyncIterable<Uint8Array>,
  options: PutOptions,
): Promise<Digest> {
  if (body instanceof Uint8Array) {
    await store.put(key, body, options);
    return { sha256: createHash("sha256").update(body).digest("hex"), sizeBytes: body.byteLength };
  }
  const { chunks, digest } = digestChunks(body);
  await store.put(key, chunks, options);
  return digest();
}
