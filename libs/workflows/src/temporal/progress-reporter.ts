import type { Clock } from "../clock.ts";
import type { WorkflowLogger } from "../failure.ts";
import type { OperationRef } from "../operation-keys.ts";
import type { Progress } from "../workflow.ts";
import type { SharedState } from "./shared-state.ts";

/** Stores the progress of a step that runs here. */
export interface ProgressReporter {
  /** Stores the latest progress soon; never waits, never throws. */
  report(progress: Progress): void;
  /** The latest progress. */
  readonly latest: Progress | undefined;
  /** Stores at once what is not stored yet, then takes no more. */
  finish(): Promise<void>;
}

/** What a reporter works with. */
interface ReporterScope {
  readonly states: SharedState;
  readonly clock: Clock;
  readonly logger: WorkflowLogger;
  /** Least time between two writes, ms. */
  readonly progressIntervalMs: number;
}

/** A reporter for one step of an operation. The first progress is stored at once. */
export function createProgressReporter(scope: ReporterScope, ref: OperationRef): ProgressReporter {
  const { states, clock, logger, progressIntervalMs } = scope;
  const finished = new AbortController();
  let latest: Progress | undefined;
  let unstored: Progress | undefined;
  let writing: Promise<void> | undefined;

  const store = async (): Promise<void> => {
    const progress = unstored;
    if (progress === undefined) return;
    unstored = undefined;
    try {
      await states.change(ref, () => ({ progress }));
    } catch (error) {
      logger.warn({ err: error }, "progress could not be stored");
    }
  };
  const storeAll = async (): Promise<void> => {
    while (unstored !== undefined && !finished.signal.aborted) {
      await store();
      await clock.delay(progressIntervalMs, finished.signal).catch(() => undefined); // Ends by `finish`.
    }
    writing = undefined;
  };
  return {
    report(progress) {
      if (finished.signal.aborted) return;
      latest = progress;
      unstored = progress;
      writing ??= storeAll();
    },
    get latest() {
      return latest;
    },
    async finish() {
      finished.abort();
      await writing;
      await store();
    },
  };
}
