import type { Progress } from "@parfocal/workflows";

/** How far the items of an operation are. */
export interface Tally {
  /** An item that is under way is done by this share, 0 to 1. */
  advance(index: number, share: number): void;
  /** An item is done; telling it again changes nothing. */
  finish(index: number, isRefused: boolean): void;
  /** Shares, counters, and the seconds to the end at the pace since this process began. */
  progress(): Omit<Progress, "phase">;
}

/** A {@link Tally} of `total` items, none begun. `nowMs` is a clock that only runs forward. */
export function createTally(total: number, nowMs: () => number = () => performance.now()): Tally {
  const shares = new Map<number, number>();
  const finished = new Map<number, boolean>();
  let begun: { readonly ms: number; readonly done: number } | undefined;
  const doneNow = () => finished.size + [...shares.values()].reduce((sum, share) => sum + share, 0);
  return {
    advance(index, share) {
      begun ??= { ms: nowMs(), done: doneNow() };
      if (!finished.has(index)) shares.set(index, share);
    },
    finish(index, isRefused) {
      shares.delete(index);
      finished.set(index, isRefused);
    },
    progress() {
      const done = doneNow();
      const sinceBegun = begun === undefined ? 0 : done - begun.done;
      const etaS = begun && sinceBegun > 0 ? ((nowMs() - begun.ms) / 1000 / sinceBegun) * (total - done) : undefined;
      const refused = [...finished.values()].filter(Boolean).length;
      return {
        fraction: total === 0 ? 1 : done / total,
        ...(etaS !== undefined && { etaS }),
        counters: { done: finished.size, total, refused },
      };
    },
  };
}
