import { parentPort, workerData } from "node:worker_threads";
import { createSharedPool } from "@parfocal/store";
import type { StoreConfig } from "../engine-options.ts";
import { errorFromWire, type StoredSource, type WireError, wireFromError } from "../wire.ts";
import { openConfiguredStore } from "./open-configured-store.ts";
import { readSource, type SourceBytes } from "./read-source.ts";
import { errorFromRuntime } from "./runtime-errors.ts";
import { countTraffic } from "./store-traffic.ts";

// The reading thread of the engine process: runs block the main thread, where nothing would arrive meanwhile.

/** To the thread: read a source, or leave it; memory that it gave is used no more. */
export type ReaderRequest =
  | { readonly kind: "read"; readonly id: number; readonly source: StoredSource; readonly isWidened: boolean }
  | { readonly kind: "leave"; readonly id: number; readonly reason: WireError }
  | { readonly kind: "giveBack"; readonly buffer: SharedArrayBuffer };

/** What was read from the store since the last reply. */
interface Traffic {
  readonly readBytes: number;
}

/** From the thread. `bytes` that are still being verified are followed by `verified` or `failed`. */
export type ReaderReply = Traffic &
  (
    | { readonly kind: "bytes"; readonly id: number; readonly bytes: SourceBytes; readonly isVerifying: boolean }
    | { readonly kind: "verified"; readonly id: number }
    | { readonly kind: "failed"; readonly id: number; readonly error: WireError }
  );

type Answer = ReaderReply extends infer Reply ? (Reply extends Traffic ? Omit<Reply, "readBytes"> : never) : never;

/** What the thread is started with. */
export interface ReaderConfig {
  readonly store: StoreConfig;
  /** Whether tensors are kept, with all of the memory that they lie in. */
  readonly isKeeping: boolean;
}

/** Memory that waits to be used again, bytes: about what is read ahead. */
const MAX_IDLE_BYTES = 64 * 1024 * 1024;

/** Of what is kept. */
const MAX_SLACK = 1.5;

const config = workerData as ReaderConfig;
const pool = createSharedPool({ maxIdleBytes: MAX_IDLE_BYTES, ...(config.isKeeping && { maxSlack: MAX_SLACK }) });
const traffic = { readBytes: 0, writtenBytes: 0 };
const store = openConfiguredStore(config.store).then((opened) => countTraffic(opened, traffic));
// Every read hears of it.
store.catch(() => undefined);

const reading = new Map<number, AbortController>();

function reply(answer: Answer, transfer: readonly ArrayBuffer[] = []): void {
  const { readBytes } = traffic;
  traffic.readBytes = 0;
  parentPort?.postMessage({ ...answer, readBytes }, transfer);
}

async function read({ id, source, isWidened }: Extract<ReaderRequest, { kind: "read" }>): Promise<void> {
  const controller = new AbortController();
  reading.set(id, controller);
  try {
    const { bytes, verified } = await readSource(await store, source, { isWidened, pool, signal: controller.signal });
    const transfer = bytes.buffer instanceof ArrayBuffer ? [bytes.buffer] : [];
    reply({ kind: "bytes", id, bytes, isVerifying: verified !== undefined }, transfer);
    if (verified === undefined) return;
    await verified;
    reply({ kind: "verified", id });
  } catch (error) {
    reply({ kind: "failed", id, error: wireFromError(errorFromRuntime(error)) });
  } finally {
    reading.delete(id);
  }
}

function receive(request: ReaderRequest): void {
  switch (request.kind) {
    case "read":
      void read(request);
      return;
    case "leave":
      reading.get(request.id)?.abort(errorFromWire(request.reason));
      return;
    case "giveBack":
      pool.give(request.buffer);
  }
}

parentPort?.on("message", receive);
