import type { ObjectStore } from "@parfocal/store";
import type { Clock } from "./clock.ts";
import type { WorkflowLogger } from "./failure.ts";
import type { Ownership } from "./ownership.ts";

/** What the parts of the embedded driver share. */
export interface DriverEnvironment {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly logger: WorkflowLogger;
  readonly ownership: Ownership;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly randomHex: (nBytes: number) => string;
  readonly progressIntervalMs: number;
  readonly cancelGraceMs: number;
  readonly retryBaseDelayMs: number;
  readonly retryMaxDelayMs: number;
  /** Fires when the driver closes or loses its store: nothing may be committed any more. */
  readonly stopped: AbortSignal;
}
