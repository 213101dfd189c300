import { tensorBytes } from "../element-types.ts";
import type { WireGraph, WireRun, WireSource } from "../wire.ts";
import { type FeedContext, feedFrom } from "./feed-sources.ts";
import type { Tensor } from "./onnxruntime.ts";
import { createPendingChecks, type PendingChecks } from "./pending-checks.ts";

/** What of a run's inputs was begun before its turn, and what of that is still to be found right. */
export interface EarlyFeeds {
  readonly tensors: ReadonlyMap<string, Promise<Tensor>>;
  readonly checks: PendingChecks;
}

/** Reads inputs of later runs while the present one is computed. */
export interface ReadAhead {
  /** The early inputs of a run; begins those of the runs behind it. Call it once per run, in order. */
  take(index: number): EarlyFeeds;
  /** Ends what is still being read, and waits for that. */
  close(): Promise<void>;
}

/** Runs looked ahead. A read takes a few turns of the event loop, which gets one or two between runs. */
const MAX_RUNS = 6;

/** Bytes that may be read ahead, beside those of the run itself. */
const MAX_BYTES = 64 * 1024 * 1024;

type ObjectSource = Extract<WireSource, { kind: "object" }>;

/**
 * Looks ahead in a sequence for objects of the store. A run that reads an object of a run shortly before it is left to its turn:
 * what that one finds out (that it is right, its bytes in the cache) this one shall not find out again.
 */
export function createReadAhead(
  graphs: readonly WireGraph[],
  runs: readonly WireRun[],
  context: FeedContext,
  signal: AbortSignal,
): ReadAhead {
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  const begun = new Map<number, EarlyFeeds & { readonly bytes: number }>();
  const objects = runs.length > 1 ? runs.map(objectsOf) : [];
  let nBytes = 0;
  let next = 1;

  /** Whether one of the runs before it in the window, or the present one, reads one of the objects. */
  const isSharedBy = (keys: readonly string[], index: number): boolean =>
    objects
      .slice(Math.max(0, index - MAX_RUNS), index)
      .some((others) => others.some(([, { key }]) => keys.includes(key)));

  /** False when there is no room for it yet. */
  const begin = (index: number): boolean => {
    const own = objects[index] ?? [];
    const keys = own.map(([, { key }]) => key);
    if (own.length === 0 || isSharedBy(keys, index)) return true;
    const bytes = own.reduce((sum, [, { dtype, shape }]) => sum + tensorBytes(dtype, shape), 0);
    if (nBytes + bytes > MAX_BYTES) return false;
    const checks = createPendingChecks();
    const tensors = new Map<string, Promise<Tensor>>();
    for (const [name, source] of own) {
      const port = graphs[runs[index]!.graph]?.inputs.find((input) => input.name === name);
      const feed = feedFrom(source, port, context, checks);
      if (typeof feed !== "function") continue;
      const reading = feed(either);
      // Whoever takes it hears of its failure; nobody may.
      reading.catch(() => undefined);
      tensors.set(name, reading);
    }
    begun.set(index, { tensors, checks, bytes });
    nBytes += bytes;
    return true;
  };

  return {
    take(index) {
      const own = begun.get(index);
      begun.delete(index);
      nBytes -= own?.bytes ?? 0;
      next = Math.max(next, index + 1);
      while (next < runs.length && next <= index + MAX_RUNS && begin(next)) next += 1;
      return own ?? { tensors: new Map(), checks: createPendingChecks() };
    },
    async close() {
      ending.abort();
      await Promise.allSettled([...begun.values()].flatMap(({ tensors }) => [...tensors.values()]));
    },
  };
}

function objectsOf({ feeds }: WireRun): (readonly [string, ObjectSource])[] {
  return Object.entries(feeds).flatMap(([name, source]) => (source.kind === "object" ? [[name, source] as const] : []));
}
