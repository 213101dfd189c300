import { context as activeContext, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { ObjectStore } from "@parfocal/store";
import { Counter, Histogram, type Registry } from "prom-client";
import { LATENCY_BUCKETS_S } from "./buckets.ts";
import { codeOf } from "./stage-call-metrics.ts";

const tracer = trace.getTracer("parfocal");

/**
 * The same store, with its calls timed (`parfocal_store_seconds`), its failures counted by code
 * (`parfocal_store_failures_total`), the bytes that pass it counted (`parfocal_store_bytes_total`), and a span for each
 * call made within one. Neither labels nor spans hold a key.
 */
export function observeStore<S extends ObjectStore>(store: S, registry: Registry): S {
  const { timed, count } = createMeters(registry);
  const counted = (chunks: AsyncIterable<Uint8Array>, direction: "read" | "written") =>
    countedIterable(chunks, (n) => count(direction, n));
  return {
    ...store,
    get: (key, options) =>
      timed("get", async () => {
        const object = await store.get(key, options);
        count("read", object.bytes.length);
        return object;
      }),
    getStream: (key, options) =>
      timed("get_stream", async () => {
        const object = await store.getStream(key, options);
        return { ...object, chunks: counted(object.chunks, "read") };
      }),
    put: (key, body, options) =>
      timed("put", async () => {
        const isWhole = body instanceof Uint8Array;
        const info = await store.put(key, isWhole ? body : counted(body, "written"), options);
        if (isWhole) count("written", body.length);
        return info;
      }),
    head: (key, options) => timed("head", () => store.head(key, options)),
    list: (prefix, options) => timed("list", () => store.list(prefix, options)),
    delete: (key, options) => timed("delete", () => store.delete(key, options)),
  } satisfies ObjectStore as S;
}

/** The same chunks. No generator: one that was never begun would not pass an early return on, and leave a file open. */
function countedIterable(chunks: AsyncIterable<Uint8Array>, count: (n: number) => void): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = chunks[Symbol.asyncIterator]();
      return {
        async next() {
          const step = await iterator.next();
          if (step.done !== true) count(step.value.length);
          return step;
        },
        return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
      };
    },
  };
}

function createMeters(registry: Registry) {
  const registers = [registry];
  const seconds = new Histogram({
    ...{ name: "parfocal_store_seconds", help: "Calls to the object store, retries included.", registers },
    ...{ labelNames: ["action"] as const, buckets: LATENCY_BUCKETS_S },
  });
  const failures = new Counter({
    ...{ name: "parfocal_store_failures_total", help: "Calls to the object store that failed, by code.", registers },
    labelNames: ["action", "code"] as const,
  });
  const bytes = new Counter({
    ...{ name: "parfocal_store_bytes_total", help: "Bytes read from and written to the object store.", registers },
    labelNames: ["direction"] as const,
  });
  return {
    count: (direction: "read" | "written", n: number) => bytes.inc({ direction }, n),
    timed: <T>(action: string, work: () => Promise<T>): Promise<T> =>
      inSpan(`store ${action}`, async () => {
        const end = seconds.startTimer({ action });
        try {
          return await work();
        } catch (error) {
          failures.inc({ action, code: codeOf(error) });
          throw error;
        } finally {
          end();
        }
      }),
  };
}

/** Does work in a span of its own when it is done within one; otherwise nobody would look at it. */
export async function inSpan<T>(name: string, work: () => Promise<T>): Promise<T> {
  const parent = activeContext.active();
  if (trace.getSpan(parent)?.isRecording() !== true) return work();
  const span = tracer.startSpan(name, { kind: SpanKind.INTERNAL }, parent);
  try {
    return await activeContext.with(trace.setSpan(parent, span), work);
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    span.setAttribute("parfocal.code", codeOf(error));
    throw error;
  } finally {
    span.end();
  }
}
