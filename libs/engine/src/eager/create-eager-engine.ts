import { setImmediate } from "node:timers/promises";
import { assertNotAborted, DomainError, isDomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { type EagerBackend, isOnGpu, loadEagerBackend, runTwin, tf, withBackend } from "@parfocal/tensor";
import { createTensorCache } from "../child/tensor-cache.ts";
import type { EngineCallOptions, HostTensor, RunRequest, RunResult, StepEngine, TensorSink } from "../engine-port.ts";
import { createFeedReader, type FeedReader } from "./eager-feeds.ts";
import { hostTensorOf, plainValues, tensorOf } from "./eager-tensors.ts";

/** Options of {@link createEagerEngine}. */
export interface EagerEngineOptions {
  readonly backend: EagerBackend;
  /** Where objects are read. */
  readonly store: ObjectStore;
  /** Bytes of stored tensors kept between runs. */
  readonly cacheBytes: number;
}

/** An engine that computes eagerly. */
export interface EagerEngine extends StepEngine {
  /** False where its backend would take a GPU and found none that it can use. */
  readonly isOnGpu: boolean;
}

/**
 * An engine that computes eagerly: it runs the functions that graphs were captured from on a tfjs backend of this process. For
 * training where tfjs has kernels that onnxruntime lacks; what is published is captured and served as ever.
 *
 * A step blocks the process while it computes, between steps others get their turn, and signals are heard. Nothing survives the
 * process: who kills it loses the state, as with the engine's own process.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` when the backend cannot be had. Runs: `UNSUPPORTED_OPERATION` for graphs that were not
 * captured in this process and for objects as outputs; `STATE_LOST`; `OUT_OF_MEMORY`; what the store throws.
 */
export async function createEagerEngine({ backend, store, cacheBytes }: EagerEngineOptions): Promise<EagerEngine> {
  const name = await loadEagerBackend(backend);
  const residents = createResidents(name);
  const read = createFeedReader(store, createTensorCache(cacheBytes), name, residents.get);
  const inTurn = createTurns();
  return {
    isOnGpu: isOnGpu(backend),
    run: (requests, { signal }: EngineCallOptions = {}) =>
      inTurn(async () => {
        const results: RunResult[] = [];
        for (const request of requests) {
          assertNotAborted(signal);
          results.push(await runOne(request, name, read, residents, signal));
          await setImmediate();
        }
        return results;
      }),
    setResident: (tensors) =>
      inTurn(() => {
        for (const [key, { dtype, shape, data }] of Object.entries(tensors)) {
          residents.put(key, tensorOf(plainValues(dtype, data), shape, name));
        }
      }),
    getResident: (names) =>
      inTurn(() => Object.fromEntries(names.map((key) => [key, hostTensorOf(residents.get(key))]))),
    dropResident: (prefix) => inTurn(() => residents.drop(prefix)),
  };
}

/** Calls one after the other, in the order in which they came: a caller may send the next before it has the last one's answer. */
function createTurns(): <T>(work: () => T | Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

async function runOne(
  request: RunRequest,
  backend: string,
  read: FeedReader,
  residents: Residents,
  signal: AbortSignal | undefined,
): Promise<RunResult> {
  const { graph, fetches } = request;
  const feeds = await read(request, signal);
  const startedMs = performance.now();
  try {
    const outputs = computed(graph, backend, feeds.tensors);
    const inline = Object.entries(fetches).flatMap(([name, sink]) => {
      const tensor = outputs[name];
      if (tensor === undefined) throw new DomainError("INTERNAL", `an eager run gave no ${name}`);
      return deliver(name, tensor, sink, residents);
    });
    for (const [name, tensor] of Object.entries(outputs)) if (fetches[name]?.kind !== "resident") tensor.dispose();
    return { outputs: Object.fromEntries(inline), engineMs: performance.now() - startedMs };
  } finally {
    feeds.dispose();
  }
}

function computed(graph: RunRequest["graph"], backend: string, feeds: Readonly<Record<string, tf.Tensor>>) {
  try {
    const outputs = runTwin(graph, backend, feeds);
    if (outputs !== undefined) return outputs;
  } catch (cause) {
    if (isDomainError(cause)) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    if (/OOM|out of memory|allocation failed/i.test(message)) {
      throw new DomainError("OUT_OF_MEMORY", "an eager step did not fit into the device's memory", { cause });
    }
    throw cause;
  }
  throw new DomainError("UNSUPPORTED_OPERATION", "a graph that was not captured in this process cannot run eagerly");
}

function deliver(name: string, tensor: tf.Tensor, sink: TensorSink, residents: Residents): [string, HostTensor][] {
  switch (sink.kind) {
    case "inline":
      return [[name, hostTensorOf(tensor)]];
    case "resident":
      if (sink.rows === undefined || sink.rows.first === 0) residents.put(sink.name, tensor);
      else residents.append(sink.name, tensor);
      return [];
    case "object":
      throw new DomainError("UNSUPPORTED_OPERATION", "an eager run leaves no objects in the store");
  }
}

/** Tensors that stay on the backend between runs. */
interface Residents {
  /** @throws {DomainError} `STATE_LOST`. */
  get(name: string): tf.Tensor;
  put(name: string, tensor: tf.Tensor): void;
  /** Puts rows behind those that earlier runs left, which come in order. @throws {DomainError} `STATE_LOST`. */
  append(name: string, rows: tf.Tensor): void;
  drop(prefix: string): void;
}

function createResidents(backend: string): Residents {
  const tensors = new Map<string, tf.Tensor>();
  const get = (name: string): tf.Tensor => {
    const found = tensors.get(name);
    if (found !== undefined) return found;
    throw new DomainError("STATE_LOST", `the eager engine holds no tensor "${name}"`);
  };
  const put = (name: string, tensor: tf.Tensor): void => {
    tensors.get(name)?.dispose();
    tensors.set(name, tensor);
  };
  return {
    get,
    put,
    append(name, rows) {
      put(
        name,
        withBackend(backend, () => tf.concat([get(name), rows])),
      );
      rows.dispose();
    },
    drop(prefix) {
      for (const [name, tensor] of tensors) {
        if (!name.startsWith(prefix)) continue;
        tensor.dispose();
        tensors.delete(name);
      }
    },
  };
}
