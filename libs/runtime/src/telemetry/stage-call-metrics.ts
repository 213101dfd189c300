import { isDomainError } from "@parfocal/errors";
import type { MethodDescriptor } from "nice-grpc-common";
import { Histogram, type Registry } from "prom-client";
import { LATENCY_BUCKETS_S } from "./buckets.ts";

/** Times calls to stages. */
export interface StageCallMetrics {
  /** Times a call that begins; the function it gives times its end, with what it failed with if it did. */
  callStarted(method: MethodDescriptor): (failure: unknown) => void;
}

/** `parfocal_stage_seconds` by service, method and code: methods and codes are closed lists. */
export function createStageCallMetrics(registry: Registry): StageCallMetrics {
  const seconds = new Histogram({
    name: "parfocal_stage_seconds",
    help: "Calls to stages, retries included, from the first try to the end.",
    labelNames: ["service", "method", "code"] as const,
    buckets: LATENCY_BUCKETS_S,
    registers: [registry],
  });
  return {
    callStarted({ path }) {
      const [service = "", method = ""] = path.slice(1).split("/");
      const startedMs = performance.now();
      return (failure) => {
        const code = failure === undefined ? "OK" : codeOf(failure);
        seconds.observe({ service, method, code }, (performance.now() - startedMs) / 1000);
      };
    },
  };
}

/** The code of what was thrown, for a label. */
export function codeOf(error: unknown): string {
  return isDomainError(error) ? error.code : "INTERNAL";
}
