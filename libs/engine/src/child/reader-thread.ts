import { parentPort, workerData } from "node:worker_threads";
import type { StoreConfig } from "../engine-options.ts";
import { errorFromWire, type StoredSource, type WireError, wireFromError } from "../wire.ts";
import { openConfiguredStore } from "./open-configured-store.ts";
import { readSource, type SourceBytes } from "./read-source.ts";
import { errorFromRuntime } from "./runtime-errors.ts";
import { countTraffic } from "./store-traffic.ts";

// The reading thread of the engine process: runs block the main thread, where nothing would arrive meanwhile.

/** To the thread: read a source, or leave it. */
export type ReaderRequest =
  | { readonly kind: "read"; readonly id: number; readonly source: StoredSource; readonly isWidened: boolean }
  | { readonly kind: "leave"; readonly id: number; readonly reason: WireError };

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

const traffic = { readBytes: 0, writtenBytes: 0 };
const store = openConfiguredStore(workerData as StoreConfig).then((opened) => countTraffic(opened, traffic));
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
    const { bytes, verified } = await readSource(await store, source, isWidened, controller.signal);
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

parentPort?.on("message", (request: ReaderRequest) => {
  if (request.kind === "read") void read(request);
  else reading.get(request.id)?.abort(errorFromWire(request.reason));
});
