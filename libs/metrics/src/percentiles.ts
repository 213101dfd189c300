import { midRanks } from "./ranking.ts";

/**
 * Where each of N values stands among them, in (0, 1): `(mid-rank - 0.5) / N`, the share of lower values with ties, itself among them,
 * counting half. N = 1 gives 0.5.
 */
export function percentilesOf(values: ArrayLike<number>): Float64Array {
  return midRanks(values).map((rank) => (rank - 0.5) / values.length);
}
