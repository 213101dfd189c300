import { createHash } from "node:crypto";
import { Worker } from "node:worker_threads";
import { DomainError } from "@parfocal/errors";
import { countShared } from "./count-shared.ts";
import type { HashReply, HashRequest } from "./hash-worker.ts";

/** Below this a digest takes less than the way to another thread and back. */
const MIN_WORKER_BYTES = 8 * 1024 * 1024;

/**
 * What is handed over at once, and how many of these per hash: enough to keep the worker busy, 4 MiB in all. The memory
 * is shared and used in turn: moving buffers between threads costs more than copying their content.
 */
const SLOT_BYTES = 512 * 1024;
const N_SLOTS = 8;

/** SHA-256 of bytes that arrive over time. */
export interface StreamHash {
  /** Takes the next bytes. They must not change until the digest is there: they may be read later. */
  update(bytes: Uint8Array): void;
  /** The digest of all bytes as 64 hexadecimal digits. */
  digest(): Promise<string>;
  /** Frees what the hash holds; the digest cannot be asked for afterwards. Harmless after the digest. */
  abandon(): void;
}

/**
 * SHA-256 of about `nBytes` bytes: small ones on this thread, large ones on a worker, so that a download is not slowed by
 * its own verification. The worker is shared by the process and does not keep it alive.
 */
export function createStreamHash(nBytes: number): StreamHash {
  return nBytes < MIN_WORKER_BYTES ? createLocalHash() : createWorkerHash();
}

function createLocalHash(): StreamHash {
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), digest: async () => hash.digest("hex"), abandon: () => {} };
}

function createWorkerHash(): StreamHash {
  const pending: Uint8Array[] = [];
  const slots = new Uint8Array(new SharedArrayBuffer(SLOT_BYTES * N_SLOTS));
  countShared(slots.buffer, slots.byteLength);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  promise.catch(() => undefined);
  let nPending = 0;
  let nFree = N_SLOTS;
  let nextSlot = 0;
  let isEnding = false;
  let isEnded = false;
  const channel = openChannel({
    onHashed: () => {
      nFree += 1;
      pump();
    },
    onDigest: resolve,
    onError: reject,
  });

  const pump = () => {
    while (nPending >= SLOT_BYTES || (isEnding && nPending > 0)) {
      if (nFree === 0) return;
      const slot = slots.subarray(nextSlot * SLOT_BYTES, (nextSlot + 1) * SLOT_BYTES);
      const nBytes = takeInto(slot, pending);
      nPending -= nBytes;
      nFree -= 1;
      // The worker hashes in order, so slots fall free in order.
      nextSlot = (nextSlot + 1) % N_SLOTS;
      channel.send({ kind: "bytes", id: channel.id, bytes: slot.subarray(0, nBytes), isLent: true });
    }
    if (isEnding && !isEnded) channel.send({ kind: "end", id: channel.id });
    isEnded ||= isEnding;
  };

  return {
    update: (bytes) => {
      // The worker sees shared memory as it is: nothing is copied, and this thread may be busy meanwhile.
      if (nPending === 0 && bytes.buffer instanceof SharedArrayBuffer) {
        channel.send({ kind: "bytes", id: channel.id, bytes, isLent: false });
        return;
      }
      pending.push(bytes);
      nPending += bytes.length;
      pump();
    },
    digest: () => {
      isEnding = true;
      pump();
      return promise;
    },
    abandon: () => {
      pending.length = 0;
      nPending = 0;
      channel.send({ kind: "abandon", id: channel.id });
      channel.close();
    },
  };
}

/** Fills `target` from the front of `pending`, which loses what was taken; gives the number of bytes. */
function takeInto(target: Uint8Array, pending: Uint8Array[]): number {
  let nBytes = 0;
  while (nBytes < target.length) {
    const bytes = pending.shift();
    if (bytes === undefined) break;
    const taken = bytes.subarray(0, target.length - nBytes);
    target.set(taken, nBytes);
    nBytes += taken.length;
    if (taken.length < bytes.length) pending.unshift(bytes.subarray(taken.length));
  }
  return nBytes;
}

interface Listener {
  readonly onHashed: () => void;
  readonly onDigest: (hex: string) => void;
  readonly onError: (error: DomainError) => void;
}

interface Channel {
  readonly id: number;
  readonly send: (request: HashRequest) => void;
  readonly close: () => void;
}

const listeners = new Map<number, Listener>();
let shared: Worker | undefined;
let nextId = 1;

function openChannel(listener: Listener): Channel {
  shared ??= startWorker();
  const worker = shared;
  const id = nextId;
  nextId += 1;
  listeners.set(id, listener);
  // The process must stay for the digest, and only for it.
  worker.ref();
  return {
    id,
    send: (request) => worker.postMessage(request),
    close: () => forget(id),
  };
}

function forget(id: number): void {
  listeners.delete(id);
  if (listeners.size === 0) shared?.unref();
}

function startWorker(): Worker {
  const worker = new Worker(new URL("./hash-worker.ts", import.meta.url));
  worker.on("message", (reply: HashReply) => {
    const listener = listeners.get(reply.id);
    if (reply.kind === "hashed") listener?.onHashed();
    else {
      forget(reply.id);
      listener?.onDigest(reply.hex);
    }
  });
  worker.on("error", (cause) => {
    const broken = [...listeners.values()];
    listeners.clear();
    shared = undefined;
    for (const { onError } of broken) onError(new DomainError("INTERNAL", "the hashing thread failed", { cause }));
  });
  return worker;
}
