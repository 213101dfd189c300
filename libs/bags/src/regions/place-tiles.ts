import { DomainError } from "@parfocal/errors";
import { circularMedian } from "./anchor.ts";
import type { ResolvedRegionOptions } from "./region-options.ts";

/** Tiles of one bag and the grid that they should lie on. */
export interface TilesToPlace {
  /** Index of the bag, for messages. */
  readonly bag: number;
  /** `[N, 2]` (x, y) level-0 pixels. */
  readonly coords: Int32Array;
  readonly anchorPx: readonly [number, number];
  /** Side of a cell of the grid. */
  readonly sidePx: number;
  /** Tiles per cell's side: more than 1 where they overlap. */
  readonly overlap: number;
}

/** Cells of the tiles of one bag; arrays have one entry for each tile that is kept. */
export interface PlacedTiles {
  /** Row of the tile in its bag. */
  readonly row: Uint32Array;
  /** Row i and column j of its cell, counted from the anchor. */
  readonly i: Int32Array;
  readonly j: Int32Array;
  /** Distance from its cell along the worse axis, in tiles. */
  readonly offset: Float64Array;
  readonly nUnaligned: number;
  readonly nDecimated: number;
}

/**
 * The cell of every tile: the nearest, which is the one that its centre lies in. Of overlapping tiles only those on the
 * cells' own phase are kept.
 *
 * @throws {DomainError} GEOMETRY_MISMATCH with the measured offset when a tile lies further from its cell than
 * `maxOffset`, unless tiles are matched by their centres.
 */
export function placeTiles(tiles: TilesToPlace, options: ResolvedRegionOptions): PlacedTiles {
  const { coords, anchorPx, sidePx, overlap } = tiles;
  const n = coords.length / 2;
  const [row, i, j, offset] = [new Uint32Array(n), new Int32Array(n), new Int32Array(n), new Float64Array(n)];
  let [nKept, nUnaligned] = [0, 0];
  for (let tile = 0; tile < n; tile++) {
    const u = ((coords[2 * tile] ?? 0) - anchorPx[0]) / sidePx;
    const v = ((coords[2 * tile + 1] ?? 0) - anchorPx[1]) / sidePx;
    const [column, line] = [Math.round(u * overlap), Math.round(v * overlap)];
    if (column % overlap !== 0 || line % overlap !== 0) continue;
    row[nKept] = tile;
    j[nKept] = column / overlap;
    i[nKept] = line / overlap;
    offset[nKept] = Math.max(Math.abs(u - column / overlap), Math.abs(v - line / overlap));
    if ((offset[nKept] ?? 0) > options.maxOffset) nUnaligned += 1;
    nKept += 1;
  }
  if (nUnaligned > 0 && !options.matchByCentre) {
    const rows = row.subarray(0, nKept).filter((_, at) => (offset[at] ?? 0) > options.maxOffset);
    throw misaligned(tiles, options.maxOffset, rows);
  }
  const kept = <T extends Uint32Array | Int32Array | Float64Array>(values: T) => values.subarray(0, nKept) as T;
  return { row: kept(row), i: kept(i), j: kept(j), offset: kept(offset), nUnaligned, nDecimated: n - nKept };
}

/** Measures the tiles at `rows` alone: those that lie right say nothing of how far the others are off. */
function misaligned(
  { bag, coords, anchorPx, sidePx }: TilesToPlace,
  maxOffset: number,
  rows: Uint32Array,
): DomainError {
  const [x, y] = [0, 1].map((axis) => {
    const cells = Float64Array.from(rows, (row) => ((coords[2 * row + axis] ?? 0) - (anchorPx[axis] ?? 0)) / sidePx);
    const phase = circularMedian(cells, 1);
    return (phase > 0.5 ? phase - 1 : phase).toFixed(3);
  });
  const measured = `${rows.length} of ${coords.length / 2} tiles, their median offset (x ${x}, y ${y}) tiles of ${sidePx} px`;
  return new DomainError(
    "GEOMETRY_MISMATCH",
    `bag ${bag} lies off the grid of the coarsest: ${measured}, the bound is ${maxOffset}; matchByCentre would keep them`,
    { details: { offsetX: `${x}`, offsetY: `${y}`, maxOffset: `${maxOffset}` } },
  );
}
