/** Work that is started ahead of who wants it. */
export interface Prefetch<T> {
  /** The result of the next piece; `undefined` when there is none left. @throws What the piece threw. */
  next(): Promise<T | undefined>;
  /** Ends what is under way and waits for it. */
  close(): Promise<void>;
}

/**
 * Runs pieces of work in their order with up to `ahead` of them started before they are asked for. Each gets a signal that fires
 * on close and with `signal`.
 */
export function prefetch<T>(
  pieces: Iterable<(signal: AbortSignal) => Promise<T>>,
  { ahead, signal }: { readonly ahead: number; readonly signal: AbortSignal },
): Prefetch<T> {
  const iterator = pieces[Symbol.iterator]();
  const closing = new AbortController();
  const either = AbortSignal.any([signal, closing.signal]);
  const started: Promise<T>[] = [];
  const startNext = (): void => {
    while (started.length < ahead) {
      const piece = iterator.next();
      if (piece.done === true) return;
      const work = piece.value(either);
      // A failure is told when its turn comes; until then nobody waits for it.
      work.catch(() => undefined);
      started.push(work);
    }
  };
  startNext();
  return {
    async next() {
      const first = started.shift();
      startNext();
      return first;
    },
    async close() {
      closing.abort();
      await Promise.allSettled(started.splice(0));
    },
  };
}
