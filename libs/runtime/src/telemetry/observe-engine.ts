import type { Engine, EngineStats } from "@parfocal/engine";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { LATENCY_BUCKETS_S } from "./buckets.ts";
import { inSpan } from "./observe-store.ts";
import { codeOf } from "./stage-call-metrics.ts";

/**
 * The same engine, with its runs timed (`parfocal_engine_run_seconds` inside the runtime, `parfocal_engine_wait_seconds`
 * for everything else: queue, reads, messages), its failures counted by code, a span for each sequence of runs, and its
 * own counters shown whenever somebody looks.
 */
export function observeEngine(engine: Engine, registry: Registry): Engine {
  const registers = [registry];
  const buckets = LATENCY_BUCKETS_S;
  const run = new Histogram({
    ...{
      name: "parfocal_engine_run_seconds",
      help: "Time of a sequence of runs inside the runtime.",
      registers,
      buckets,
    },
  });
  const wait = new Histogram({
    name: "parfocal_engine_wait_seconds",
    help: "Time of a sequence of runs outside the runtime: queue, reads, messages.",
    ...{ registers, buckets },
  });
  const failures = new Counter({
    ...{ name: "parfocal_engine_failures_total", help: "Sequences of runs that failed, by code.", registers },
    labelNames: ["code"] as const,
  });
  showStats(engine, registry);
  return {
    get device() {
      return engine.device;
    },
    ready: (options) => engine.ready(options),
    stats: () => engine.stats(),
    setResident: (tensors, options) => engine.setResident(tensors, options),
    getResident: (names, options) => engine.getResident(names, options),
    dropResident: (prefix) => engine.dropResident(prefix),
    close: (options) => engine.close(options),
    run: (requests, options) =>
      inSpan("engine run", async () => {
        const startedMs = performance.now();
        try {
          const results = await engine.run(requests, options);
          const engineMs = results.reduce((sum, result) => sum + result.engineMs, 0);
          run.observe(engineMs / 1000);
          wait.observe(Math.max(0, performance.now() - startedMs - engineMs) / 1000);
          return results;
        } catch (error) {
          failures.inc({ code: codeOf(error) });
          throw error;
        }
      }),
  };
}

/** What the engine counts by itself, as gauges: `[name, help, value]`. */
const SHOWN: readonly (readonly [string, string, (stats: EngineStats) => number])[] = [
  ["queued", "Sequences that wait for the engine process.", (stats) => stats.queued],
  ["busy", "Whether the engine process works, 0 or 1.", (stats) => Number(stats.isBusy)],
  ["runs", "Runs since the start.", (stats) => stats.runs],
  ["busy_seconds", "Time inside the runtime since the start.", (stats) => stats.engineMs / 1000],
  ["respawns", "Engine processes started because the one before ended.", (stats) => stats.respawns],
  ["recycles", "Engine processes replaced because of their age.", (stats) => stats.recycles],
  ["sessions", "Sessions kept.", (stats) => stats.sessions],
  [
    "sessions_created",
    "Sessions made since the start; runs less these found theirs.",
    (stats) => stats.sessionsCreated,
  ],
  ["cached_bytes", "Bytes of stored tensors kept between runs.", (stats) => stats.cachedBytes],
  ["cache_hits", "Stored tensors that were kept.", (stats) => stats.cacheHits],
  ["cache_misses", "Stored tensors that had to be read.", (stats) => stats.cacheMisses],
  ["store_read_bytes", "Bytes the engine process read from the store.", (stats) => stats.storeReadBytes],
  ["store_written_bytes", "Bytes the engine process wrote to the store.", (stats) => stats.storeWrittenBytes],
  ["resident_bytes", "Bytes of tensors that earlier runs left.", (stats) => stats.residentBytes],
];

function showStats(engine: Engine, registry: Registry): void {
  for (const [name, help, value] of SHOWN) {
    new Gauge({
      ...{ name: `parfocal_engine_${name}`, help, registers: [registry] },
      collect() {
        this.set(value(engine.stats()));
      },
    });
  }
}
