import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** From an import of one file (a second) to a week of training. */
const DURATION_BUCKETS_S = [0.1, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400, 604_800];

/** Counts operations of this process, or their steps where operations move from process to process. */
export interface OperationMetrics {
  /** Counts one that begins; the function it gives counts its end, `OK` or the code it failed with, and gives its milliseconds. */
  started(verb: string): (code: string) => number;
}

/**
 * `parfocal_operations_running`, `parfocal_operations_finished_total` and `parfocal_operation_seconds` by kind of
 * operation: kinds and codes are closed lists.
 */
export function createOperationMetrics(registry: Registry): OperationMetrics {
  const registers = [registry];
  const running = new Gauge({
    ...{ name: "parfocal_operations_running", help: "Operations that run in this process.", registers },
    labelNames: ["verb"] as const,
  });
  const finished = new Counter({
    ...{ name: "parfocal_operations_finished_total", help: "Operations that ended here, by code.", registers },
    labelNames: ["verb", "code"] as const,
  });
  const seconds = new Histogram({
    ...{ name: "parfocal_operation_seconds", help: "Time that operations ran here.", registers },
    ...{ labelNames: ["verb"] as const, buckets: DURATION_BUCKETS_S },
  });
  return {
    started(verb) {
      const startedMs = performance.now();
      running.inc({ verb });
      return (code) => {
        const durationMs = performance.now() - startedMs;
        running.dec({ verb });
        finished.inc({ verb, code });
        seconds.observe({ verb }, durationMs / 1000);
        return durationMs;
      };
    },
  };
}
