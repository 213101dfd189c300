import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { abortErrorFromSignal, assertNotAborted } from "@parfocal/errors";
import { countShared } from "@parfocal/store";
import { type StoredSource, wireFromError } from "../wire.ts";
import { noStoreError } from "./open-configured-store.ts";
import { createPendingReads } from "./pending-reads.ts";
import type { ReadBytes } from "./read-source.ts";
import type { ReaderConfig, ReaderReply, ReaderRequest } from "./reader-thread.ts";
import { errorFromRuntime } from "./runtime-errors.ts";

/** What was read, in memory that is wanted back. */
export interface LentBytes extends ReadBytes {
  /** Lets the memory be used again: it is verified, or is not going to be, and nobody touches it any more. */
  giveBack(): void;
}

/** Reads tensors from the store, also while this thread is in a run. */
export interface ObjectReader {
  /**
   * Reads a source, halves as f32 when `isWidened`, into memory that is used again for other reads once it was given back.
   * The signal ends the reading; its reason is the error then.
   *
   * @throws {DomainError} INVALID_ARGUMENT without a store; TRUNCATED; what the store throws
   */
  read(source: StoredSource, isWidened: boolean, signal: AbortSignal): Promise<LentBytes>;
  /** Bytes that came from the store. */
  readonly readBytes: number;
}

/** Small, as a thread of the default size would reserve half a gigabyte. What is read lies outside. */
const LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16, codeRangeSizeMb: 16 };

/** Starts the reading thread of this process when there is a store. One that breaks fails its reads, and the next read has another. */
export async function startObjectReader(config: ReaderConfig | undefined): Promise<ObjectReader> {
  const reads = createPendingReads();
  let readBytes = 0;
  let thread = config === undefined ? undefined : start(config);
  if (thread !== undefined) await once(thread, "online");

  function start(workerData: ReaderConfig): Worker {
    const entry = new URL("./reader-thread.ts", import.meta.url);
    const started = new Worker(entry, { workerData, resourceLimits: LIMITS });
    started.on("message", (reply: ReaderReply) => {
      readBytes += reply.readBytes;
      if (reply.kind === "bytes") countShared(reply.bytes.buffer, reply.bytes.size);
      reads.hear(reply);
    });
    started.once("error", (error) => {
      thread = undefined;
      reads.failAll(errorFromRuntime(error));
    });
    return started;
  }

  return {
    async read(source, isWidened, signal) {
      if (config === undefined) throw noStoreError();
      assertNotAborted(signal);
      thread ??= start(config);
      const worker = thread;
      const send = (request: ReaderRequest) => worker.postMessage(request);
      const { id, read } = reads.add();
      const leave = () => send({ kind: "leave", id, reason: wireFromError(abortErrorFromSignal(signal)) });
      signal.addEventListener("abort", leave, { once: true });
      send({ kind: "read", id, source, isWidened });
      try {
        const lent = await read;
        // What arrives after the signal is of a reading that was left, though the thread had ended it.
        assertNotAborted(signal);
        const { buffer } = lent.bytes;
        return { ...lent, giveBack: () => buffer instanceof SharedArrayBuffer && send({ kind: "giveBack", buffer }) };
      } finally {
        signal.removeEventListener("abort", leave);
      }
    },
    get readBytes() {
      return readBytes;
    },
  };
}
