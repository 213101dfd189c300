import { type DomainErrorCode, isDomainError } from "@parfocal/errors";

/** Losses of the engine without progress between them after which a training gives up. */
export const MAX_RECOVERIES = 3;

const ENGINE_LOSSES: readonly DomainErrorCode[] = ["ENGINE_CRASHED", "STATE_LOST"];

/** Whether the engine process went away under a training, so that putting the state back helps. */
export function isEngineLoss(error: unknown): error is Error & { readonly code: DomainErrorCode } {
  return isDomainError(error) && ENGINE_LOSSES.includes(error.code);
}

/** Runs work that leaves nothing behind in the engine, again when the engine is lost under it. */
export async function withRetries<T>(work: () => Promise<T>): Promise<T> {
  for (let nFailures = 0; ; nFailures++) {
    try {
      return await work();
    } catch (error) {
      if (!isEngineLoss(error) || nFailures === MAX_RECOVERIES) throw error;
    }
  }
}
