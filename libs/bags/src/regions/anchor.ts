/**
 * Median of values on a circle of the given period, in 0 to `period`: the circle is cut where the values leave the widest
 * gap, so that values around 0 do not fall apart. The lower one of an even count. O(N log N).
 */
export function circularMedian(values: Float64Array, period: number): number {
  const phases = values.map((value) => phaseOf(value, period)).sort();
  const n = phases.length;
  let cut = 0;
  let widest = (phases[0] ?? 0) + period - (phases[n - 1] ?? 0);
  for (let at = 1; at < n; at++) {
    const gap = (phases[at] ?? 0) - (phases[at - 1] ?? 0);
    if (gap <= widest) continue;
    widest = gap;
    cut = at;
  }
  return phases[(cut + ((n - 1) >> 1)) % n] ?? 0;
}

/** Tiles whose grid is looked for. */
export interface AnchorTiles {
  /** `[N, 2]` (x, y) of their corners. */
  readonly coords: Int32Array;
  /** Their side, pixels of the coordinates. */
  readonly sidePx: number;
  /** Tiles per side: more than 1 where they overlap. */
  readonly overlap: number;
}

/**
 * A corner (x, y) of the grid that tiles lie on, each in 0 to `sidePx`: the circular median of their corners. Of
 * overlapping tiles, which lie on `overlap²` such grids, the grid with most tiles, the first among equals.
 */
export function anchorOf({ coords, sidePx, overlap }: AnchorTiles): readonly [number, number] {
  const stride = sidePx / overlap;
  const [x, y] = [0, 1].map((axis) => {
    const values = Float64Array.from({ length: coords.length / 2 }, (_, row) => coords[2 * row + axis] ?? 0);
    return rounded(circularMedian(values, stride));
  }) as [number, number];
  const counts = new Uint32Array(overlap * overlap);
  const gridOf = (value: number, anchor: number) => phaseOf(Math.round((value - anchor) / stride), overlap);
  for (let at = 0; at < coords.length; at += 2) {
    const grid = gridOf(coords[at + 1] ?? 0, y) * overlap + gridOf(coords[at] ?? 0, x);
    counts[grid] = (counts[grid] ?? 0) + 1;
  }
  const fullest = counts.indexOf(Math.max(...counts));
  return [x + (fullest % overlap) * stride, y + Math.floor(fullest / overlap) * stride];
}

/** Keeps the text of an anchor short; a thousandth of a pixel of level 0 is nothing. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function phaseOf(value: number, period: number): number {
  return ((value % period) + period) % period;
}
