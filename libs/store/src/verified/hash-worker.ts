import { createHash, type Hash } from "node:crypto";
import { parentPort } from "node:worker_threads";

/** To the worker: bytes of hash `id`, or that there are no more. */
export type HashRequest =
  | { readonly kind: "bytes"; readonly id: number; readonly buffer: ArrayBuffer; readonly nBytes: number }
  | { readonly kind: "end"; readonly id: number }
  | { readonly kind: "abandon"; readonly id: number };

/** From the worker: a buffer to fill again, or the digest. */
export type HashReply =
  | { readonly kind: "buffer"; readonly id: number; readonly buffer: ArrayBuffer }
  | { readonly kind: "digest"; readonly id: number; readonly hex: string };

const hashes = new Map<number, Hash>();

parentPort?.on("message", (request: HashRequest) => {
  const { id } = request;
  const hash = hashes.get(id) ?? createHash("sha256");
  hashes.set(id, hash);
  if (request.kind === "bytes") {
    hash.update(new Uint8Array(request.buffer, 0, request.nBytes));
    const reply: HashReply = { kind: "buffer", id, buffer: request.buffer };
    parentPort?.postMessage(reply, [request.buffer]);
    return;
  }
  hashes.delete(id);
  if (request.kind === "end")
    parentPort?.postMessage({ kind: "digest", id, hex: hash.digest("hex") } satisfies HashReply);
});
