import { DomainError } from "@parfocal/errors";

/** Longest wait of a Node timer, ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** gRPC writes at most eight digits of a timeout. */
const MAX_TIMEOUT_DIGITS = 99_999_999;

/** One signal out of several and of a deadline. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Forgets the sources. */
  release(): void;
}

/** A signal that fires with the first of `sources`, with its reason, or at `deadlineMs` (ms since the epoch). */
export function linkSignals(
  sources: readonly (AbortSignal | undefined)[],
  deadlineMs: number | undefined,
): LinkedSignal {
  const controller = new AbortController();
  const leftMs = (deadlineMs ?? Number.POSITIVE_INFINITY) - Date.now();
  const expire = () =>
    controller.abort(new DomainError("DEADLINE_EXCEEDED", "the deadline passed before the answer came"));
  const timer = leftMs > 0 && leftMs < MAX_TIMER_MS ? setTimeout(expire, leftMs) : undefined;
  if (leftMs <= 0) expire();
  const links = sources
    .filter((source) => source !== undefined)
    .map((source) => {
      const pass = () => controller.abort(source.reason);
      if (source.aborted) pass();
      else source.addEventListener("abort", pass, { once: true });
      return () => source.removeEventListener("abort", pass);
    });
  const release = () => {
    clearTimeout(timer);
    for (const unlink of links) unlink();
  };
  return { signal: controller.signal, release };
}

/** The value of `grpc-timeout` that leaves `leftMs` milliseconds, at least one. */
export function grpcTimeout(leftMs: number): string {
  const ms = Math.max(1, Math.ceil(leftMs));
  return ms <= MAX_TIMEOUT_DIGITS ? `${ms}m` : `${Math.min(MAX_TIMEOUT_DIGITS, Math.ceil(ms / 1000))}S`;
}
