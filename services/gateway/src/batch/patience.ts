import { setTimeout as sleep } from "node:timers/promises";
import { assertNotAborted, type DomainErrorCode, isDomainError } from "@parfocal/errors";
import { RETRY_AFTER_KEY } from "@parfocal/runtime";

/** How long to insist after one kind of failure. */
interface Insistence {
  /** Bound of the random part of a pause, which doubles from a quarter of a second, ms. */
  readonly longestMs: number;
  /** Times in a row. */
  readonly maxRefusals: number;
}

/** Failures that say: not now. Room comes back when any call ends, a stage when it has started again; both for some ten minutes. */
const NOT_NOW: Readonly<Partial<Record<DomainErrorCode, Insistence>>> = {
  RESOURCE_EXHAUSTED: { longestMs: 2000, maxRefusals: 300 },
  THROTTLED: { longestMs: 30_000, maxRefusals: 30 },
  UNREACHABLE: { longestMs: 30_000, maxRefusals: 30 },
};

const FIRST_PAUSE_MS = 250;

/** Longest wait that a stage may ask for, ms. */
const MAX_ASKED_MS = 30_000;

/** What waits for a stage that has no room. */
export interface Patience {
  /** Pauses if `error` says "not now", at least as long as it asks for; otherwise, or when it is said too often, throws it. */
  pauseAfter(error: unknown): Promise<void>;
  /** Something went on: counting begins again. */
  reset(): void;
}

/** Options of {@link createPatience}. */
interface PatienceOptions {
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
      const insistence = isDomainError(error) ? NOT_NOW[error.code] : undefined;
      if (!isDomainError(error) || insistence === undefined || nRefusals >= insistence.maxRefusals) throw error;
      const asked = Math.min(MAX_ASKED_MS, Number(error.details[RETRY_AFTER_KEY] ?? 0) || 0);
      const bound = Math.min(insistence.longestMs, FIRST_PAUSE_MS * 2 ** nRefusals);
      nRefusals += 1;
      await pause(asked + random() * bound, signal);
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
