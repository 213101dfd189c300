import { assertNotAborted, orAborted } from "@parfocal/errors";

/** Lets one at a time do the work of a key. */
export interface KeyedLock {
  /**
   * Waits until nobody holds `key`; gives the function that releases it.
   *
   * @throws {DomainError} `CANCELLED` or `DEADLINE_EXCEEDED` when the signal fires first.
   */
  acquire(key: string, signal: AbortSignal): Promise<() => void>;
}

/** A lock that nobody holds. Who waits longest comes next. */
export function createKeyedLock(): KeyedLock {
  const tails = new Map<string, Promise<void>>();
  return {
    async acquire(key, signal) {
      assertNotAborted(signal);
      const before = tails.get(key);
      const { promise, resolve } = Promise.withResolvers<void>();
      const tail = (before ?? Promise.resolve()).then(() => promise);
      tails.set(key, tail);
      // Only when everybody before is done too: who gives up waiting leaves somebody at work, whom the next must wait for.
      void tail.then(() => {
        if (tails.get(key) === tail) tails.delete(key);
      });
      try {
        await orAborted(before ?? Promise.resolve(), signal);
      } catch (error) {
        resolve();
        throw error;
      }
      return resolve;
    },
  };
}
