import { randomBytes } from "node:crypto";
import { assertNotAborted, type DomainError } from "@parfocal/errors";
import { delay } from "../body.ts";

/** No pause is longer, whatever the number of tries and whatever the server asks for. */
const MAX_PAUSE_MS = 20_000;

/** What retries need of the world; tests bring their own. */
export interface RetryWorld {
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly sleep: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

/** A failed try: what the caller will see if it was the last one, and whether another one can help. */
export interface Failure {
  readonly error: DomainError;
  readonly isRetryable: boolean;
  /** What the server asked to wait. */
  readonly retryAfterMs?: number;
}

/** How to try again. */
export interface RetryPolicy {
  readonly maxAttempts: number;
  /** Bound of the first pause; the second is twice that, and so on up to 20 s. */
  readonly baseMs: number;
  readonly world: RetryWorld;
  readonly signal?: AbortSignal | undefined;
  readonly classify: (error: unknown) => Failure;
}

/** The world of production: random numbers of the operating system, timers of Node. */
export const realWorld: RetryWorld = {
  random: () => randomBytes(4).readUInt32LE() / 2 ** 32,
  sleep: delay,
};

/**
 * Runs `work(attempt)` (from 0) until it succeeds, fails for good, or was tried `maxAttempts` times. Pauses have full
 * jitter (uniform between 0 and the bound), so that clients who failed together do not come back together.
 *
 * @throws {DomainError} the classified error of the last try; CANCELLED or DEADLINE_EXCEEDED when the signal fires.
 */
export async function retry<T>(policy: RetryPolicy, work: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    assertNotAborted(policy.signal);
    try {
      return await work(attempt);
    } catch (cause) {
      assertNotAborted(policy.signal);
      const failure = policy.classify(cause);
      if (!failure.isRetryable || attempt + 1 >= policy.maxAttempts) throw failure.error;
      await policy.world.sleep(pauseMs(policy, attempt, failure.retryAfterMs), policy.signal);
    }
  }
}

/** The pause after the try `attempt`: jittered, but no shorter than what the server asked for. */
function pauseMs({ baseMs, world }: RetryPolicy, attempt: number, retryAfterMs = 0): number {
  const boundMs = Math.min(MAX_PAUSE_MS, baseMs * 2 ** attempt);
  return Math.min(MAX_PAUSE_MS, Math.max(retryAfterMs, world.random() * boundMs));
}
