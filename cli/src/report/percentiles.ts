import { midRanks } from "@parfocal/metrics";

/** Percentile of each value within the slide, in (0, 1): `(mid-rank - 0.5) / N`. Equal values share one; N = 1 gives 0.5. */
export function percentilesOf(values: Float32Array): Float64Array {
  return midRanks(values).map((rank) => (rank - 0.5) / values.length);
}
