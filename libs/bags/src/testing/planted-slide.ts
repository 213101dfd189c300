import type { Bag, BagMetadata } from "../bag.ts";

/** A slide to plant: tiles of several magnifications on one grid. */
export interface PlantedSlide {
  readonly levelCount: number;
  /** Coarse cells of the slide: rows and columns. */
  readonly size: readonly [number, number];
  readonly d: number;
  /** Side of a coarse tile and corner of the grid, level-0 pixels. */
  readonly coarsePx?: number;
  readonly anchor?: readonly [number, number];
  /** Whether a tile is there; absent: all are. */
  readonly has?: (m: number, i: number, j: number) => boolean;
  readonly dtype?: "F16" | "F32";
}

/** Value of feature k of a tile: tells m, i, j and k, exact in half precision and in single. */
export function plantedFeature(m: number, i: number, j: number, k: number): number {
  return ((m * 67 + i * 31 + j * 7 + k * 3) % 1021) + 1;
}

/** The bags of the slide, one per magnification, coarsest first, each row by row as extractors write them. */
export function plantSlide(slide: PlantedSlide): Bag[] {
  const { levelCount, size, coarsePx = 1792, anchor = [100, 40] } = slide;
  return Array.from({ length: levelCount }, (_, m) => {
    const side = coarsePx / 2 ** m;
    const places: [number, number][] = [];
    for (let i = 0; i < size[0] * 2 ** m; i++) {
      for (let j = 0; j < size[1] * 2 ** m; j++) if (slide.has?.(m, i, j) ?? true) places.push([i, j]);
    }
    const coords = places.flatMap(([i, j]) => [Math.round(anchor[0] + j * side), Math.round(anchor[1] + i * side)]);
    return bagOf(places, coords, { m, d: slide.d, side, dtype: slide.dtype ?? "F16" });
  });
}

interface PlantedBag {
  readonly m: number;
  readonly d: number;
  readonly side: number;
  readonly dtype: "F16" | "F32";
}

function bagOf(places: readonly [number, number][], coords: number[], { m, d, side, dtype }: PlantedBag): Bag {
  const n = places.length;
  const values = places.flatMap(([i, j]) => Array.from({ length: d }, (_, k) => plantedFeature(m, i, j, k)));
  const features =
    dtype === "F32"
      ? ({ dtype, data: Float32Array.from(values) } as const)
      : ({ dtype, data: new Uint16Array(Float16Array.from(values).buffer) } as const);
  const metadata: BagMetadata = {
    ...{ slideId: "slide", encoder: "virchow2", tilePx: 224, mpp: 2 / 2 ** m },
    ...{ level0StridePx: side, coordUnit: "level0_px" },
  };
  return { n, d, features, coords: Int32Array.from(coords), metadata };
}
