import type { ObjectStore } from "@parfocal/store";
import type { ChildOptions } from "../engine-options.ts";
import {
  type ChildReply,
  type ParentMessage,
  type RunWork,
  type Work,
  type WorkResult,
  wireFromError,
} from "../wire.ts";
import { createTensorPacker, packTensors } from "../wire-tensor.ts";
import { type ObjectReader, startObjectReader } from "./object-reader.ts";
import { openConfiguredStore } from "./open-configured-store.ts";
import { createReadAhead } from "./read-ahead.ts";
import { createResidents } from "./residents.ts";
import { type RunContext, runSequence } from "./run-sequence.ts";
import { errorFromRuntime } from "./runtime-errors.ts";
import { createSessionCache } from "./session-cache.ts";
import { HOLDS_KEPT } from "./shared-tensor.ts";
import { startDevice } from "./start-device.ts";
import { countTraffic } from "./store-traffic.ts";
import { createTensorCache, type TensorCache } from "./tensor-cache.ts";
import { hostFromTensor, tensorFromWire } from "./tensors.ts";
import { watchParent } from "./watch-parent.ts";

// The engine process: one device, one piece of work at a time, asked and answered over the IPC channel. Of the piece that follows
// it knows, to read its inputs meanwhile.

const NOTHING: WorkResult = { runs: [], tensors: {} };

/** Of this thread, which writes; the reader counts what it reads. */
const traffic = { readBytes: 0, writtenBytes: 0 };

interface ProcessContext extends RunContext {
  readonly cache: TensorCache;
  readonly reader: ObjectReader;
}

let context: ProcessContext | undefined;
let announced: RunWork | undefined;
let current: { readonly id: number; readonly controller: AbortController } | undefined;

function send(reply: ChildReply): void {
  process.send?.(reply);
}

async function start(options: ChildOptions): Promise<void> {
  try {
    const { store, cacheBytes } = options;
    const reading = store && { store, isKeeping: cacheBytes > 0 };
    const starting = [startDevice(options.device), startObjectReader(reading), watchParent()] as const;
    const [device, reader] = await Promise.all(starting);
    context = createContext(options, device, reader);
    send({ kind: "ready", device });
  } catch (error) {
    send({ kind: "startFailed", error: wireFromError(errorFromRuntime(error)) });
  }
}

function createContext(options: ChildOptions, device: string, reader: ObjectReader): ProcessContext {
  let store: Promise<ObjectStore> | undefined;
  const open = async () => countTraffic(await openConfiguredStore(options.store), traffic);
  const cache = createTensorCache(options.cacheBytes, HOLDS_KEPT);
  return {
    residents: createResidents(),
    cache,
    reader,
    ahead: createReadAhead({ cache, reader, verified: new Set() }),
    sessions: createSessionCache({ ...options, device }, options.maxSessions),
    transferDir: options.transferDir,
    openStore() {
      store ??= open();
      return store;
    },
  };
}

async function work(id: number, task: Work, ready: ProcessContext): Promise<void> {
  const controller = new AbortController();
  current = { id, controller };
  try {
    const result = await perform(task, ready, controller.signal);
    send({ kind: "done", id, result, stats: statsOf(ready) });
  } catch (error) {
    send({ kind: "failed", id, error: wireFromError(errorFromRuntime(error)), stats: statsOf(ready) });
  } finally {
    current = undefined;
  }
}

async function perform(task: Work, ready: ProcessContext, signal: AbortSignal): Promise<WorkResult> {
  switch (task.kind) {
    case "run":
      return { runs: await runSequence(task, ready, signal), tensors: {} };
    case "set":
      for (const [name, tensor] of Object.entries(task.tensors))
        ready.residents.set(name, await tensorFromWire(tensor));
      return NOTHING;
    case "get": {
      const found = task.names.map((name) => [name, hostFromTensor(ready.residents.get(name))] as const);
      const packer = createTensorPacker(ready.transferDir);
      return { runs: [], tensors: await packTensors(Object.fromEntries(found), packer) };
    }
    case "drop":
      ready.residents.drop(task.prefix);
      return NOTHING;
  }
}

function statsOf({ sessions, cache, residents, reader }: ProcessContext) {
  return {
    sessions: sessions.size,
    sessionsCreated: sessions.created,
    cachedBytes: cache.bytes,
    ...{ cacheHits: cache.hits, cacheMisses: cache.misses },
    ...{ storeReadBytes: reader.readBytes + traffic.readBytes, storeWrittenBytes: traffic.writtenBytes },
    residentTensors: residents.size,
    residentBytes: residents.bytes,
  };
}

function announce(next: RunWork | undefined, { ahead }: ProcessContext): void {
  announced = next;
  ahead.expect(next);
}

function receive(message: ParentMessage): void {
  switch (message.kind) {
    case "start":
      void start(message.options);
      return;
    case "work": {
      const task = message.work ?? announced;
      if (context === undefined || task === undefined) return;
      void work(message.id, task, context);
      announce(message.next, context);
      return;
    }
    case "next":
      if (context !== undefined) announce(message.work, context);
      return;
    case "cancel":
      if (current?.id === message.id) current.controller.abort();
  }
}

// The parent owns this process's life: a Ctrl-C that reaches the whole group must not end a draining run.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
process.on("disconnect", () => process.exit(0));
process.on("message", receive);
