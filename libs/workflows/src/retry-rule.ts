import type { DomainErrorCode } from "@parfocal/errors";

/** Tries of a step that says nothing else. */
export const DEFAULT_MAX_ATTEMPTS = 3;

/**
 * Retryable failures and how many retries each may cause: memory that was short twice is too short, and bytes that were damaged twice
 * are so in the store and not on the way.
 */
const MAX_RETRIES: Partial<Record<DomainErrorCode, number>> = {
  THROTTLED: Number.POSITIVE_INFINITY,
  UNREACHABLE: Number.POSITIVE_INFINITY,
  ENGINE_CRASHED: Number.POSITIVE_INFINITY,
  STATE_LOST: Number.POSITIVE_INFINITY,
  OUT_OF_MEMORY: 1,
  CORRUPT: 1,
  TRUNCATED: 1,
};

/** A failed try of a step: the `attempt`th (1 is the first), what failed it, and what failed the tries before it. */
export interface FailedTry {
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly code: DomainErrorCode;
  readonly earlier: readonly { readonly code: string }[];
}

/** Whether the step is tried again. Both drivers ask this, so a workflow meets the same rule on either. */
export function isTriedAgain({ attempt, maxAttempts, code, earlier }: FailedTry): boolean {
  const nSame = earlier.filter((failure) => failure.code === code).length;
  return attempt < maxAttempts && nSame < (MAX_RETRIES[code] ?? 0);
}

/** Bounds of the pause between two tries, ms. */
export interface RetryPauses {
  /** Upper bound of the first pause; it doubles with every retry. */
  readonly retryBaseDelayMs: number;
  /** Upper bound of any pause. */
  readonly retryMaxDelayMs: number;
}

/**
 * The pause after the `attempt`th try, ms. Exponential with full jitter: many steps that met the same outage do not come back
 * together. `random` is uniform in [0, 1).
 */
export function retryPauseMs(pauses: RetryPauses, attempt: number, random: number): number {
  return random * Math.min(pauses.retryMaxDelayMs, pauses.retryBaseDelayMs * 2 ** (attempt - 1));
}
