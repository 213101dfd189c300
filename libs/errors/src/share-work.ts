import { assertNotAborted } from "./domain-error.ts";
import { orAborted } from "./or-aborted.ts";

/**
 * A function that gives what `work` gives, done once for all callers, who may come at the same time. A failure is not kept: the next
 * caller begins anew.
 *
 * `work` hears of no signal: it is everybody's, so one caller who is cancelled only stops waiting and takes nothing from the others;
 * one who is cancelled before begins nothing.
 */
export function shareWork<T>(work: () => Promise<T>): (signal: AbortSignal | undefined) => Promise<T> {
  let done: Promise<T> | undefined;
  return async (signal) => {
    assertNotAborted(signal);
    if (done === undefined) {
      const begun = work();
      done = begun;
      begun.catch(() => {
        if (done === begun) done = undefined;
      });
    }
    return orAborted(done, signal);
  };
}
