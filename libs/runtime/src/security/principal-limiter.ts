import { DomainError } from "@parfocal/errors";
import { RETRY_AFTER_KEY } from "../errors/rpc-details.ts";
import type { PrincipalLimits } from "./policy.ts";

/** Callers that are remembered; the one that has been quiet for longest is forgotten, with a full bucket. */
const MAX_CALLERS = 10_000;

/** Keeps callers to their rate and number of calls. */
export interface PrincipalLimiter {
  /**
   * Counts a call of `key` that begins; the function it gives counts its end.
   *
   * @throws {DomainError} `RESOURCE_EXHAUSTED` with the bound and when to come again.
   */
  begin(key: string, own?: Partial<PrincipalLimits>): () => void;
}

interface Caller {
  tokens: number;
  filledMs: number;
  nRunning: number;
}

/**
 * A token bucket and a count of running calls per caller: `ratePerS` calls may begin per second on average, `burst` at
 * once after a pause, `concurrent` may run at a time.
 */
export function createPrincipalLimiter(
  usual: PrincipalLimits,
  now: () => number = () => performance.now(),
): PrincipalLimiter {
  const callers = new Map<string, Caller>();
  return {
    begin(key, own = {}) {
      const limits = { ...usual, ...own };
      const caller = callers.get(key) ?? { tokens: limits.burst, filledMs: now(), nRunning: 0 };
      // A map iterates in order of insertion: taking out and putting back makes it the youngest.
      callers.delete(key);
      callers.set(key, caller);
      forgetQuiet(callers);
      refill(caller, limits, now());
      if (caller.nRunning >= limits.concurrent) throw tooManyRunning(caller.nRunning, limits.concurrent);
      if (caller.tokens < 1) throw tooFast(limits, (1000 * (1 - caller.tokens)) / limits.ratePerS);
      caller.tokens -= 1;
      caller.nRunning += 1;
      return () => {
        caller.nRunning -= 1;
      };
    },
  };
}

function refill(caller: Caller, { ratePerS, burst }: PrincipalLimits, nowMs: number): void {
  caller.tokens = Math.min(burst, caller.tokens + ((nowMs - caller.filledMs) * ratePerS) / 1000);
  caller.filledMs = nowMs;
}

function forgetQuiet(callers: Map<string, Caller>): void {
  for (const [key, { nRunning }] of callers) {
    if (callers.size <= MAX_CALLERS) return;
    if (nRunning === 0) callers.delete(key);
  }
}

function tooFast({ ratePerS, burst }: PrincipalLimits, waitMs: number): DomainError {
  const message = `the caller begins more than ${ratePerS} calls per second (${burst} at once)`;
  const bound = String(ratePerS);
  return new DomainError("RESOURCE_EXHAUSTED", message, {
    details: { quota: "calls per second", bound, [RETRY_AFTER_KEY]: String(Math.ceil(waitMs)) },
  });
}

function tooManyRunning(value: number, bound: number): DomainError {
  return new DomainError("RESOURCE_EXHAUSTED", `${value} calls of the caller are running, the bound is ${bound}`, {
    details: { quota: "concurrent calls", value: String(value), bound: String(bound) },
  });
}
