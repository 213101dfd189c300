import { setImmediate } from "node:timers/promises";
import { percentilesOf } from "@parfocal/metrics";
import type { BagAttention } from "@parfocal/training";

/**
 * Where each number of `[n, A]` maps stands within its own map, 0 to 100, in their layout. Other calls get their turn between maps: one of
 * 100 000 tiles takes tens of milliseconds.
 */
export async function mapPercentiles({
  n,
  nBranches,
  values,
}: Pick<BagAttention, "n" | "nBranches" | "values">): Promise<Float32Array> {
  const percentiles = new Float32Array(n * nBranches);
  for (let map = 0; map < nBranches; map++) {
    if (map > 0) await setImmediate();
    const column = Float32Array.from({ length: n }, (_, tile) => values[tile * nBranches + map] ?? 0);
    for (const [tile, share] of percentilesOf(column).entries()) percentiles[tile * nBranches + map] = 100 * share;
  }
  return percentiles;
}
