/** Lets a bounded number of pieces of work run at a time; the others wait in the order they came. */
export interface Gate {
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** A gate for `limit` pieces of work. */
export function createGate(limit: number): Gate {
  let nRunning = 0;
  const waiting: (() => void)[] = [];
  return {
    async run(work) {
      if (nRunning >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
      else nRunning += 1;
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        // A place that somebody waits for changes hands.
        if (next === undefined) nRunning -= 1;
        else next();
      }
    },
  };
}
