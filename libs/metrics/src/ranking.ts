import { assertFinite } from "./binary-input.ts";

/**
 * Scores sorted once, so that any number of weighted metrics (a bootstrap resample is a vector of weights) cost O(N) each.
 */
export interface Ranking {
  /** Case indices by descending score. */
  readonly order: Uint32Array;
  /** `ends[g]` is one past the last place of tie group g in `order`; the last entry is N. */
  readonly ends: Uint32Array;
}

/**
 * Ranks `scores` `[N]` in descending order with exact ties grouped. O(N log N).
 *
 * @throws {DomainError} `NON_FINITE` when a score is NaN or infinite.
 */
export function rankScores(scores: ArrayLike<number>): Ranking {
  assertFinite(scores, "score");
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i);
  order.sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  const ends: number[] = [];
  for (let place = 1; place <= order.length; place += 1) {
    const isTied = place < order.length && scores[order[place] ?? 0] === scores[order[place - 1] ?? 0];
    if (!isTied) ends.push(place);
  }
  return { order, ends: Uint32Array.from(ends) };
}

/**
 * Mid-ranks of `values` `[N]` in ascending order, 1-based: tied values share the mean of the ranks they cover.
 *
 * @throws {DomainError} `NON_FINITE` when a value is NaN or infinite.
 */
export function midRanks(values: ArrayLike<number>): Float64Array {
  const { order, ends } = rankScores(values);
  const n = values.length;
  const ranks = new Float64Array(n);
  let start = 0;
  for (const end of ends) {
    // Places start..end-1 from the top are ranks n-end+1..n-start from the bottom.
    const shared = (2 * n - start - end + 1) / 2;
    for (let place = start; place < end; place += 1) ranks[order[place] ?? 0] = shared;
    start = end;
  }
  return ranks;
}
