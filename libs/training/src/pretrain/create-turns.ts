import { assertNotAborted } from "@parfocal/errors";

/** Does work when its turn comes. @throws What the work throws; {@link assertNotAborted} when the signal fired before. */
export type Turns = <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>;

/** Turns of which at most `limit` are taken at a time, whoever asks, in the order in which they were asked for. */
export function createTurns(limit: number): Turns {
  let taken = 0;
  const waiting: (() => void)[] = [];
  return async (work, signal) => {
    if (taken < limit) taken += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      assertNotAborted(signal);
      return await work();
    } finally {
      const next = waiting.shift();
      // A turn goes from hand to hand: one who comes in between does not get ahead of those who wait.
      if (next === undefined) taken -= 1;
      else next();
    }
  };
}
