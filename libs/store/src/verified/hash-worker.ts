import { createHash, type Hash } from "node:crypto";
import { parentPort } from "node:worker_threads";
import { countShared } from "./count-shared.ts";

/**
 * To the worker: bytes of hash `id` in memory that both threads see, which `isLent` when it is wanted back, or that there are
 * no more.
 */
export type HashRequest =
  | { readonly kind: "bytes"; readonly id: number; readonly bytes: Uint8Array; readonly isLent: boolean }
  | { readonly kind: "end"; readonly id: number }
  | { readonly kind: "abandon"; readonly id: number };

/** From the worker: the oldest lent bytes are hashed and their memory is free, or the digest. */
export type HashReply =
  | { readonly kind: "hashed"; readonly id: number }
  | { readonly kind: "digest"; readonly id: number; readonly hex: string };

const hashes = new Map<number, Hash>();

parentPort?.on("message", (request: HashRequest) => {
  const { id } = request;
  const hash = hashes.get(id) ?? createHash("sha256");
  hashes.set(id, hash);
  if (request.kind === "bytes") {
    countShared(request.bytes.buffer, request.bytes.byteLength);
    hash.update(request.bytes);
    if (request.isLent) parentPort?.postMessage({ kind: "hashed", id } satisfies HashReply);
    return;
  }
  hashes.delete(id);
  if (request.kind === "end")
    parentPort?.postMessage({ kind: "digest", id, hex: hash.digest("hex") } satisfies HashReply);
});
