/** Wakes any number of waiters at each event. Keeps nothing of an event: waiters look at the state themselves. */
export interface EventSource {
  /** Wakes everyone who waits now. */
  wake(): void;
  /** Resolves at the next event, and as soon as `signal` fires. */
  next(signal: AbortSignal): Promise<void>;
}

/** An event source; a waiter costs one closure and leaves nothing behind. */
export function createEventSource(): EventSource {
  const wakers = new Set<() => void>();
  return {
    wake() {
      for (const waker of [...wakers]) waker();
    },
    async next(signal) {
      if (signal.aborted) return;
      await new Promise<void>((resolve) => {
        const waker = (): void => {
          wakers.delete(waker);
          signal.removeEventListener("abort", waker);
          resolve();
        };
        wakers.add(waker);
        signal.addEventListener("abort", waker, { once: true });
      });
    },
  };
}
