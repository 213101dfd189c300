import { createHash } from "node:crypto";
import type { BagRef } from "@parfocal/bags";
import { type CallOptions, type ObjectStore, putContent } from "@parfocal/store";

/** Up to here a bag is made once and sent as one body; a larger one is made twice, to be hashed and to be sent. */
const SINGLE_PUT_BYTES = 8 * 1024 * 1024;

/**
 * Writes the bytes of a bag that are made as they are needed, under their digest: `<folder>/<sha256>.safetensors`. Writing the same bytes
 * again, from anywhere, is harmless. Memory: what `parts` holds, and of bags of up to 8 MiB all bytes.
 *
 * @throws {DomainError} What `parts` and the store throw.
 */
export async function putStreamed(
  store: ObjectStore,
  folder: string,
  parts: () => AsyncIterable<Uint8Array>,
  sizeBytes: number,
  call: CallOptions,
): Promise<Pick<BagRef, "key" | "digest" | "sizeBytes">> {
  const hash = createHash("sha256");
  const held: Uint8Array[] = [];
  for await (const part of parts()) {
    hash.update(part);
    if (sizeBytes <= SINGLE_PUT_BYTES) held.push(part);
  }
  const digest = hash.digest("hex");
  const key = `${folder}/${digest}.safetensors`;
  const body = () => (held.length > 0 ? Buffer.concat(held) : parts());
  await putContent(store, { key, sizeBytes }, body, { ...call, contentType: "application/octet-stream" });
  return { key, digest, sizeBytes };
}
