import type { Logger } from "../telemetry/logger.ts";
import type { StopReport } from "./shutdown.ts";
import type { RunningServer } from "./start-server.ts";

/** Signals that stop a process in good order. */
const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** What a service is once it has started. */
export interface StartedService {
  readonly server: Pick<RunningServer, "stop">;
  /** What else must close once no call runs any more: engines, stores. */
  close(): Promise<void> | void;
}

/** Options of {@link runUntilSignal}. */
export interface RunUntilSignalOptions {
  /** Starts the service. A signal that comes meanwhile stops it as soon as it has. */
  readonly start: () => Promise<StartedService>;
  readonly logger: Logger;
}

/**
 * Starts a service, waits for SIGTERM or SIGINT, stops its server and closes the rest. A second signal cuts the drain
 * short. Signals are minded from before the start: whoever reads that the service listens may end it at once.
 * The process ends by itself when nothing is left open.
 */
export async function runUntilSignal({ start, logger }: RunUntilSignalOptions): Promise<StopReport> {
  const asked = Promise.withResolvers<void>();
  const cutShort = Promise.withResolvers<void>();
  let nSignals = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    logger.info("signal received", { signal });
    nSignals += 1;
    (nSignals === 1 ? asked : cutShort).resolve();
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  try {
    const service = await start();
    await asked.promise;
    void cutShort.promise.then(() => service.server.stop({ drainMs: 0 }));
    const report = await service.server.stop();
    await service.close();
    return report;
  } finally {
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  }
}
