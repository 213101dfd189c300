/** Turns the progress of parts that arrive in any order into the growth of what has arrived from the beginning. */
export interface PrefixTracker {
  /** The part that begins at `start` has arrived up to `end` (absolute). */
  advance(start: number, end: number): void;
}

/**
 * Tracks an object of `sizeBytes` that arrives in parts of `partSizeBytes`, each from its front.
 *
 * @param onGrow gets every stretch `[from, to)` once, in order, as soon as nothing is missing before it.
 */
export function createPrefixTracker(
  sizeBytes: number,
  partSizeBytes: number,
  onGrow: (from: number, to: number) => void,
): PrefixTracker {
  const ends = new Map<number, number>();
  let done = 0;
  let partStart = 0;
  return {
    advance: (start, end) => {
      ends.set(start, end);
      for (;;) {
        const known = ends.get(partStart) ?? partStart;
        if (known > done) onGrow(done, known);
        done = Math.max(done, known);
        const partEnd = Math.min(partStart + partSizeBytes, sizeBytes);
        if (done < partEnd || partEnd === sizeBytes) return;
        ends.delete(partStart);
        partStart = partEnd;
      }
    },
  };
}
