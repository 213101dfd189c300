import { DomainError } from "@parfocal/errors";
import type { ServerMiddleware } from "nice-grpc-common";
import type { Shutdown } from "./shutdown.ts";

/** Bounds of one method that differ from the configured ones. */
export interface MethodLimits {
  /** Calls of it at a time. */
  readonly maxConcurrent?: number;
  /** Longest deadline that may be asked for, ms. */
  readonly maxDeadlineMs?: number;
  /** Deadline when the caller sets none, ms. */
  readonly defaultDeadlineMs?: number;
}

/** Limits by `package.Service/Method`. */
export type LimitsByMethod = Readonly<Record<string, MethodLimits>>;

/** Options of {@link createAdmit}. */
export interface AdmitOptions {
  readonly maxConcurrentPerMethod: number;
  readonly limits: LimitsByMethod;
  /** Refuses calls once it is closing, and counts those that run. */
  readonly shutdown: Pick<Shutdown, "closing" | "callStarted">;
}

/**
 * Admits at most so many calls of a method at a time; the next one is refused at once with RESOURCE_EXHAUSTED and a
 * RetryInfo, because a queue here would only hide the load from whoever could spread it.
 */
export function createAdmit({ maxConcurrentPerMethod, limits, shutdown }: AdmitOptions): ServerMiddleware {
  const running = new Map<string, number>();
  return async function* admit(call, context) {
    if (shutdown.closing.aborted) throw new DomainError("UNREACHABLE", "the server is shutting down");
    const method = call.method.path.slice(1);
    const bound = limits[method]?.maxConcurrent ?? maxConcurrentPerMethod;
    const now = running.get(method) ?? 0;
    if (now >= bound) throw tooMany(method, now, bound);
    running.set(method, now + 1);
    const end = shutdown.callStarted();
    try {
      return yield* call.next(call.request, context);
    } finally {
      end();
      running.set(method, running.get(method)! - 1);
    }
  };
}

function tooMany(method: string, value: number, bound: number): DomainError {
  return new DomainError("RESOURCE_EXHAUSTED", `${value} calls of ${method} are running, the bound is ${bound}`, {
    details: { limit: "concurrent calls of a method", method, value: String(value), bound: String(bound) },
  });
}
