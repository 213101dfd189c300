import type { Bag } from "@parfocal/bags";
import { createRng } from "@parfocal/metrics";

// Legend: L magnifications, D features, m counts magnifications from the coarsest.

/** What a made-up bag of regions is made of. */
export interface RegionBagOptions {
  /** (row, column) of its coarse tiles. */
  readonly cells: readonly (readonly [number, number])[];
  readonly levelCount: number;
  readonly d: number;
  readonly seed: bigint;
  /** Whether the tile of a place is missing; default none is. */
  readonly isMissing?: (place: TilePlace) => boolean;
  /** Feature k of the tile of a place; default normal noise. */
  readonly feature?: (place: TilePlace, k: number, noise: number) => number;
}

/** Where a tile lies: magnification, row and column in its grid. */
export interface TilePlace {
  readonly m: number;
  readonly i: number;
  readonly j: number;
}

/** Where the grid of made-up bags begins: coordinates are rounded, the grid is not. */
export const REGION_ANCHOR = [100.25, -60.5] as const;

/** Side of a coarse tile of made-up bags, level-0 pixels. */
export const REGION_STRIDE = 1023.5;

/** A bag of regions in block order: coarse cells as given, in each the coarse tile, its 4 children, their 16. */
export function regionBag(options: RegionBagOptions): Bag {
  const { cells, levelCount, d, seed, isMissing = () => false, feature = (_place, _k, noise) => noise } = options;
  const rng = createRng(seed);
  const places = cells.flatMap((cell) => placesOf(cell, levelCount)).filter((place) => !isMissing(place));
  const n = places.length;
  return {
    n,
    d,
    features: {
      dtype: "F32",
      data: Float32Array.from(
        places.flatMap((place) => Array.from({ length: d }, (_, k) => feature(place, k, rng.normal()))),
      ),
    },
    coords: Int32Array.from(places.flatMap(cornerOf)),
    level: Uint8Array.from(places, ({ m }) => levelCount - 1 - m),
    metadata: {
      encoder: "made-up",
      tilePx: 224,
      mpp: 0.5,
      level0StridePx: REGION_STRIDE,
      levelCount,
      anchorPx: REGION_ANCHOR,
    },
  };
}

function placesOf([row, column]: readonly [number, number], levelCount: number): TilePlace[] {
  return Array.from({ length: levelCount }, (_, m) => {
    const side = 2 ** m;
    return Array.from({ length: side * side }, (_, at) => {
      return { m, i: row * side + Math.floor(at / side), j: column * side + (at % side) };
    });
  }).flat();
}

/** (x, y) of a place on the grid of made-up bags. */
export function cornerOf({ m, i, j }: TilePlace): [number, number] {
  const [x, y] = REGION_ANCHOR;
  return [Math.round(x + (j * REGION_STRIDE) / 2 ** m), Math.round(y + (i * REGION_STRIDE) / 2 ** m)];
}

/** All cells of a rectangle, row by row. */
export function cellsOf(nRows: number, nColumns: number): (readonly [number, number])[] {
  return Array.from({ length: nRows * nColumns }, (_, at) => [Math.floor(at / nColumns), at % nColumns] as const);
}
