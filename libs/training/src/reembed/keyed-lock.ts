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
      const release = () => {
        resolve();
        if (tails.get(key) === tail) tails.delete(key);
      };
      try {
        await orAborted(before ?? Promise.resolve(), signal);
      } catch (error) {
        release();
        throw error;
      }
      return release;
    },
  };
}
