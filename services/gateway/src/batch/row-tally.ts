import type { Progress } from "@parfocal/workflows";

/** Rows that are done. */
export interface RowCounts {
  readonly scored: number;
  readonly failed: number;
}

/** How far a batch is. */
export interface RowTally {
  /** A shard is as far as this; telling it again replaces what was said. */
  set(shard: number, counts: RowCounts): void;
  /** The engines that aggregate took so much longer, ms. */
  addEngineMs(ms: number): void;
  /** Counters, share, and seconds to the end at the pace since this process began. */
  progress(): Omit<Progress, "phase">;
}

/** A tally of `total` rows, of which some were done before. `nowMs` is a clock that only runs forward. */
export function createRowTally(
  total: number,
  before: RowCounts,
  nowMs: () => number = () => performance.now(),
): RowTally {
  const shards = new Map<number, RowCounts>();
  let { scored, failed } = before;
  let engineMs = 0;
  let begun: { readonly ms: number; readonly done: number } | undefined;
  return {
    set(shard, counts) {
      const last = shards.get(shard);
      scored += counts.scored - (last?.scored ?? 0);
      failed += counts.failed - (last?.failed ?? 0);
      shards.set(shard, counts);
    },
    addEngineMs(ms) {
      engineMs += ms;
    },
    progress() {
      const done = scored + failed;
      begun ??= { ms: nowMs(), done };
      const sinceBegun = done - begun.done;
      const elapsedS = (nowMs() - begun.ms) / 1000;
      const etaS = sinceBegun > 0 ? (elapsedS / sinceBegun) * (total - done) : undefined;
      return {
        fraction: total === 0 ? 1 : done / total,
        ...(etaS !== undefined && { etaS }),
        counters: {
          ...{ done, total, scored, failed },
          ...(engineMs > 0 && { engine_s: engineMs / 1000 }),
          ...(sinceBegun > 0 && elapsedS > 0 && { rows_per_s: sinceBegun / elapsedS }),
        },
      };
    },
  };
}
