import { abortErrorFromSignal } from "./domain-error.ts";

/**
 * Waits for `work`, or for the signal, whichever comes first. The work itself goes on: use it only where it is harmless.
 *
 * @throws {DomainError} what `work` throws; `CANCELLED` or `DEADLINE_EXCEEDED` when the signal fires first.
 */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(abortErrorFromSignal(signal));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([promise, work]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Either may still fail with nobody listening.
    work.catch(() => undefined);
    promise.catch(() => undefined);
  }
}
