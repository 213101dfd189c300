import { setTimeout as sleep } from "node:timers/promises";
import { assertNotAborted, type DomainErrorCode, isDomainError } from "@parfocal/errors";
import { RETRY_AFTER_KEY } from "@parfocal/runtime";

/** Failures that say: not now. */
const NOT_NOW: ReadonlySet<DomainErrorCode> = new Set(["RESOURCE_EXHAUSTED", "THROTTLED", "UNREACHABLE"]);

/** Times in a row that a stage may say so; with pauses that double up to half a minute this is some ten minutes. */
const MAX_REFUSALS = 24;

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;

/** What waits for a stage that has no room. */
export interface Patience {
  /** Pauses if `error` says "not now", at least as long as it asks for; otherwise, or when it is said too often, throws it. */
  pauseAfter(error: unknown): Promise<void>;
  /** Something went on: counting begins again. */
  reset(): void;
}

/** Options of {@link createPatience}. */
export interface PatienceOptions {
  readonly signal: AbortSignal;
  /** Uniform in [0, 1): callers who were refused together do not come back together. */
  readonly random?: () => number;
  /** How to wait; by default by the clock. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Patience for one piece of work. */
export function createPatience({ signal, random = Math.random, pause = sleepFor }: PatienceOptions): Patience {
  let nRefusals = 0;
  return {
    async pauseAfter(error) {
      assertNotAborted(signal);
      if (!isDomainError(error) || !NOT_NOW.has(error.code) || ++nRefusals > MAX_REFUSALS) throw error;
      const asked = Number(error.details[RETRY_AFTER_KEY] ?? 0) || 0;
      const bound = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (nRefusals - 1));
      await pause(Math.min(LONGEST_PAUSE_MS, asked) + random() * bound, signal);
      assertNotAborted(signal);
    },
    reset() {
      nRefusals = 0;
    },
  };
}

async function sleepFor(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
