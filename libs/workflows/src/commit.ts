import { type DomainErrorCode, isDomainError } from "@parfocal/errors";
import type { DriverEnvironment } from "./driver-environment.ts";
import { isLostRace } from "./json-object.ts";

/** Longest pause between two tries of a commit: a store that is back is noticed within this. */
const MAX_PAUSE_MS = 10_000;

/** The store's failures that pass; a deadline here is only ever that of one renewal. */
const TRANSIENT: readonly DomainErrorCode[] = ["THROTTLED", "UNREACHABLE", "DEADLINE_EXCEEDED"];

/** How to repeat a commit. */
export interface CommitOptions {
  /** Also repeat what looks permanent (a full disk, say): for what must be written in the end, whatever the cause. */
  readonly isUnconditional?: boolean;
}

/**
 * Runs `write` as the owner of the store, again and again while the store is throttled or out of reach: what a step
 * has computed must not be lost because the journal could not be written at once. Nor because the store's credentials have
 * expired: what a step did is done, and a failure could not be written down either before they are renewed.
 *
 * @throws {DomainError} the ownership's error when it is lost; the driver's when it stops; any other store error.
 */
export async function commit(
  env: DriverEnvironment,
  write: () => Promise<void>,
  options: CommitOptions = {},
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await env.ownership.assertHeld();
      return await write();
    } catch (error) {
      if (env.ownership.lost.aborted || isLostRace(error)) throw error;
      if (!isTransient(error) && !isDomainError(error, "FORBIDDEN") && options.isUnconditional !== true) throw error;
      env.logger.warn({ attempt, err: error }, "the journal could not be written; trying again");
      const pauseMs = Math.min(MAX_PAUSE_MS, env.retryBaseDelayMs * 2 ** Math.min(attempt, 10));
      await env.clock.delay(env.random() * pauseMs, env.stopped);
    }
  }
}

/** Repeats reads of the journal while the store is out of reach, as writes are. Throws as {@link commit}. */
export async function whenReachable<T>(env: DriverEnvironment, read: () => Promise<T>): Promise<T> {
  let result: { readonly value: T } | undefined;
  await commit(env, async () => {
    result = { value: await read() };
  });
  return result!.value; // commit resolves only after read did.
}

/** Whether a failure of the store passes by itself. */
export function isTransient(error: unknown): boolean {
  return TRANSIENT.some((code) => isDomainError(error, code));
}
