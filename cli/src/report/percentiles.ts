import { percentilesOf } from "@parfocal/metrics";
import type { TileValues } from "./tile-grid.ts";

/** Where each value stands within its map, in (0, 1): as it came with the values, else made of them by the same rule. */
export function percentilesIn({ values, percentiles }: Pick<TileValues, "values" | "percentiles">): Float64Array {
  if (percentiles === undefined) return percentilesOf(values);
  // They are whole numbers of half tiles: what f32 cut off comes back, so that tables and colours are the same from every gateway.
  const nHalves = 2 * values.length;
  return Float64Array.from(percentiles, (percentile) => Math.round((percentile / 100) * nHalves) / nHalves);
}
