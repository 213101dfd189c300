import { type DomainError, isDomainError } from "@parfocal/errors";
import { RETRY_AFTER_KEY } from "../errors/rpc-details.ts";

/** How idempotent unary calls are tried again. */
export interface RetryOptions {
  /** Attempts in all; 1: never again. Default 4. */
  readonly maxAttempts?: number;
  /** Longest wait before the second attempt, ms; doubles with every one. Default 100. */
  readonly initialDelayMs?: number;
  /** Bound of that doubling, ms. Default 2000. */
  readonly maxDelayMs?: number;
}

/** Decides on retries for one client. */
export interface RetryPolicy {
  /** Wait before the next attempt, ms, or `undefined` when there must be none. `attempt` is the one that failed, from 1. */
  delayAfter(error: unknown, attempt: number): number | undefined;
  /** Says that a call worked. */
  succeeded(): void;
}

/** Tokens of the throttle: as gRPC's own retry throttling, with its recommended numbers. */
const MAX_TOKENS = 10;
const TOKENS_PER_SUCCESS = 0.1;

/** Bounds of the pauses that say nothing else, ms. */
const DEFAULT_PAUSES = { initialDelayMs: 100, maxDelayMs: 2000 };

/** Wait before what failed for the `attempt`th time (1 is the first) is tried again, ms: random, not shorter than the server asked for. */
export function retryDelayMs(
  error: DomainError,
  attempt: number,
  { initialDelayMs, maxDelayMs }: Required<Pick<RetryOptions, "initialDelayMs" | "maxDelayMs">> = DEFAULT_PAUSES,
): number {
  const bound = Math.min(maxDelayMs, initialDelayMs * 2 ** (attempt - 1));
  return Math.max(Number(error.details[RETRY_AFTER_KEY] ?? 0) || 0, Math.random() * bound);
}

/**
 * Retries only what the server never worked on: UNREACHABLE, gRPC's UNAVAILABLE. Waits are random in `[0, bound]`, so
 * that callers who failed together do not come back together, and never shorter than the server asks for. When half
 * of the last calls failed, retries stop: they would only add to the load.
 */
export function createRetryPolicy(options: RetryOptions = {}): RetryPolicy {
  const { maxAttempts = 4, ...pauses } = { ...DEFAULT_PAUSES, ...options };
  let tokens = MAX_TOKENS;
  return {
    delayAfter(error, attempt) {
      if (!isDomainError(error, "UNREACHABLE")) return undefined;
      tokens = Math.max(0, tokens - 1);
      if (attempt >= maxAttempts || tokens <= MAX_TOKENS / 2) return undefined;
      return retryDelayMs(error, attempt, pauses);
    },
    succeeded() {
      tokens = Math.min(MAX_TOKENS, tokens + TOKENS_PER_SUCCESS);
    },
  };
}
