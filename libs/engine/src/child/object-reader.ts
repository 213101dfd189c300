import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { abortErrorFromSignal, assertNotAborted } from "@parfocal/errors";
import { countShared } from "@parfocal/store";
import type { StoreConfig } from "../engine-options.ts";
import { type StoredSource, wireFromError } from "../wire.ts";
import { noStoreError } from "./open-configured-store.ts";
import { createPendingReads } from "./pending-reads.ts";
import type { ReadBytes } from "./read-source.ts";
import type { ReaderReply, ReaderRequest } from "./reader-thread.ts";
import { errorFromRuntime } from "./runtime-errors.ts";

/** Reads tensors from the store, also while this thread is in a run. */
export interface ObjectReader {
  /**
   * Reads a source, halves as f32 when `isWidened`. The signal ends the reading; its reason is the error then.
   *
   * @throws {DomainError} INVALID_ARGUMENT without a store; TRUNCATED; what the store throws
   */
  read(source: StoredSource, isWidened: boolean, signal: AbortSignal): Promise<ReadBytes>;
  /** Bytes that came from the store. */
  readonly readBytes: number;
}

/** Small, as a thread of the default size would reserve half a gigabyte. What is read lies outside. */
const LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16, codeRangeSizeMb: 16 };

/** Starts the reading thread of this process when there is a store. One that breaks fails its reads, and the next read has another. */
export async function startObjectReader(config: StoreConfig | undefined): Promise<ObjectReader> {
  const reads = createPendingReads();
  let readBytes = 0;
  let thread = config === undefined ? undefined : start(config);
  if (thread !== undefined) await once(thread, "online");

  function start(workerData: StoreConfig): Worker {
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
        const bytes = await read;
        // What arrives after the signal is of a reading that was left, though the thread had ended it.
        assertNotAborted(signal);
        return bytes;
      } finally {
        signal.removeEventListener("abort", leave);
      }
    },
    get readBytes() {
      return readBytes;
    },
  };
}
