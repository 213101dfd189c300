import { setTimeout as sleep } from "node:timers/promises";
import { DomainError } from "@parfocal/errors";
import type { Server } from "nice-grpc";
import type { Logger } from "../telemetry/logger.ts";
import type { MetricsServer } from "../telemetry/metrics-server.ts";
import type { Health } from "./health.ts";

/** Time that calls have to end once their signals fired: a killed engine needs up to a second. */
const ABORT_GRACE_MS = 1500;

/** Options of one stop. */
export interface StopOptions {
  /** Time for running calls, ms; the configured one when absent. */
  readonly drainMs?: number;
}

/** How a server stopped. */
export interface StopReport {
  /** `drained`: every call ended by itself. `aborted`: some ended when their signals fired. `forced`: some were cut. */
  readonly outcome: "drained" | "aborted" | "forced";
}

interface Attached {
  readonly server: Pick<Server, "shutdown" | "forceShutdown">;
  readonly http: MetricsServer | undefined;
}

/** The way of a server to its end. */
export interface Shutdown {
  /** Fires at once: long streams end by themselves. */
  readonly draining: AbortSignal;
  /** Fires after the lame-duck pause: no call is admitted any more. */
  readonly closing: AbortSignal;
  /** Fires when the drain is over: the signals of all calls fire with its reason. */
  readonly ending: AbortSignal;
  /** Counts a call; the function it gives counts its end. */
  callStarted(): () => void;
  /** The servers to stop, once they listen. */
  attach(server: Attached["server"], http: Attached["http"]): void;
  stop(options?: StopOptions): Promise<StopReport>;
}

/** Options of {@link createShutdown}. */
export interface ShutdownOptions {
  readonly health: Health;
  readonly logger: Logger;
  readonly lameDuckMs: number;
  readonly drainMs: number;
}

/** Makes the signals of a shutdown and the procedure that fires them in order. */
export function createShutdown({ health, logger, lameDuckMs, drainMs }: ShutdownOptions): Shutdown {
  const draining = new AbortController();
  const closing = new AbortController();
  const ending = new AbortController();
  const hurry = new AbortController();
  let attached: Attached | undefined;
  let stopped: Promise<StopReport> | undefined;
  let nRunning = 0;

  async function begin(drain: number): Promise<StopReport> {
    health.stop();
    draining.abort();
    await pause(lameDuckMs, hurry.signal);
    closing.abort();
    health.endWatches();
    const outcome = attached === undefined ? "drained" : await end(attached.server, drain);
    await attached?.http?.close();
    logger.info("stopped", { code: outcome });
    return { outcome };
  }

  async function end(server: Attached["server"], drain: number): Promise<StopReport["outcome"]> {
    const isDone = server.shutdown().then(() => true);
    const timers = new AbortController();
    try {
      if (await Promise.race([isDone, pause(drain, AbortSignal.any([hurry.signal, timers.signal]))])) return "drained";
      const outcome = nRunning === 0 ? "drained" : "aborted";
      ending.abort(new DomainError("UNREACHABLE", "the server is shutting down"));
      if (await Promise.race([isDone, pause(ABORT_GRACE_MS, timers.signal)])) return outcome;
      server.forceShutdown();
      // Without a call left, only idle connections were cut.
      return nRunning === 0 ? outcome : "forced";
    } finally {
      // A timer that nobody waits for would keep the process alive.
      timers.abort();
    }
  }

  return {
    draining: draining.signal,
    closing: closing.signal,
    ending: ending.signal,
    callStarted: () => {
      nRunning += 1;
      return () => {
        nRunning -= 1;
      };
    },
    attach: (server, http) => {
      attached = { server, http };
    },
    stop(options) {
      stopped ??= begin(options?.drainMs ?? drainMs);
      if (options?.drainMs === 0) hurry.abort();
      return stopped;
    },
  };
}

/** Waits, or until the signal fires; gives `false`. */
async function pause(ms: number, signal: AbortSignal): Promise<false> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
  return false;
}
