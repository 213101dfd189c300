import type { Logger } from "../telemetry/logger.ts";
import type { StopReport } from "./shutdown.ts";
import type { RunningServer } from "./start-server.ts";

/** Signals that stop a process in good order. */
const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** Options of {@link runUntilSignal}. */
export interface RunUntilSignalOptions {
  readonly server: Pick<RunningServer, "stop">;
  readonly logger: Logger;
  /** What else must close once no call runs any more: engines, stores. */
  readonly close?: () => Promise<void> | void;
}

/**
 * Waits for SIGTERM or SIGINT, then stops the server and closes the rest. A second signal cuts the drain short.
 * The process ends by itself when nothing is left open.
 */
export async function runUntilSignal({ server, logger, close }: RunUntilSignalOptions): Promise<StopReport> {
  const first = Promise.withResolvers<StopReport>();
  const onSignal = (signal: NodeJS.Signals) => {
    logger.info("signal received", { signal });
    const isFirst = !isStopping;
    isStopping = true;
    server.stop(isFirst ? {} : { drainMs: 0 }).then(first.resolve, first.reject);
  };
  let isStopping = false;
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  try {
    return await first.promise;
  } finally {
    await close?.();
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  }
}
