/** Taken when no two tiles differ in place: any stride puts them into cell 0. */
const SINGLE_CELL_STRIDE = 1;

/**
 * The distance between neighbouring tiles of a slide from their corners `coords` `[N, 2]`: {@link latticeStride}. When no two tiles share
 * a row or column, the smallest difference between two coordinates of an axis.
 */
export function inferStride(coords: Int32Array): number {
  return latticeStride(coords) ?? smallestStep(coords);
}

/**
 * The most frequent step between tiles that follow each other in a row or column, of equally frequent ones the smallest. Lattices of several
 * pieces of tissue need not be aligned, so the smallest step of all would be an accident. Undefined when no two tiles share a row
 * or column. O(N log N).
 */
export function latticeStride(coords: Int32Array): number | undefined {
  const counts = new Map<number, number>();
  for (const axis of [0, 1] as const) countSteps(coords, axis, counts);
  let best = 0;
  for (const [step, count] of counts) {
    const most = counts.get(best) ?? 0;
    if (count > most || (count === most && step < best)) best = step;
  }
  return best > 0 ? best : undefined;
}

/** Counts the steps along `axis` between tiles that follow each other and agree on the other axis. */
function countSteps(coords: Int32Array, axis: 0 | 1, counts: Map<number, number>): void {
  const other = 1 - axis;
  const at = (tile: number, which: number) => coords[2 * tile + which] ?? 0;
  const order = Int32Array.from({ length: coords.length / 2 }, (_, i) => i).sort(
    (a, b) => at(a, other) - at(b, other) || at(a, axis) - at(b, axis),
  );
  for (let i = 1; i < order.length; i++) {
    const [before = 0, tile = 0] = [order[i - 1], order[i]];
    const step = at(tile, axis) - at(before, axis);
    if (at(before, other) === at(tile, other) && step > 0) counts.set(step, (counts.get(step) ?? 0) + 1);
  }
}

function smallestStep(coords: Int32Array): number {
  let smallest = Number.POSITIVE_INFINITY;
  for (const axis of [0, 1]) {
    const values = coords.filter((_, i) => i % 2 === axis).sort();
    for (let i = 1; i < values.length; i++) {
      const step = (values[i] ?? 0) - (values[i - 1] ?? 0);
      if (step > 0) smallest = Math.min(smallest, step);
    }
  }
  return Number.isFinite(smallest) ? smallest : SINGLE_CELL_STRIDE;
}
