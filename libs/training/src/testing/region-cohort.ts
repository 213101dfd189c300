import { writeBag } from "@parfocal/bags";
import { slotCount } from "@parfocal/geometry";
import { createRng, type Rng } from "@parfocal/metrics";
import type { ObjectStore } from "@parfocal/store";
import type { RegionBag } from "../pretrain/pretrain-job.ts";

// Legend: D features, a block is a coarse cell with all tiles under it.

/** What planted region bags are made of. */
export interface RegionCohortOptions {
  readonly nSlides: number;
  /** Coarse cells along the side of each slide. */
  readonly side: number;
  readonly levelCount: number;
  readonly d: number;
  readonly seed: bigint;
  /** Default F32. */
  readonly dtype?: "F16" | "F32";
  /** Whether a tile is missing; default none is. */
  readonly isMissing?: (cell: number, slot: number) => boolean;
}

/** Side of a coarse tile in level-0 pixels. */
const COARSE_PX = 1024;

/**
 * Region bags in which a block's tiles say much of each other: each block has a mood, a direction of its own, and every tile is that
 * with noise, so that removed tiles can be told from those that are left.
 */
export async function writeRegionCohort(store: ObjectStore, options: RegionCohortOptions): Promise<RegionBag[]> {
  const bags: RegionBag[] = [];
  for (let slide = 0; slide < options.nSlides; slide++) {
    const rng = createRng(options.seed).fork(`slide ${slide}`);
    const bag = await writeBag(store, "regions/", regionBag(options, rng));
    bags.push({ bag, patient: `p${slide}` });
  }
  return bags;
}

function regionBag({ side, levelCount, d, dtype = "F32", isMissing = () => false }: RegionCohortOptions, rng: Rng) {
  const [rows, coords, level]: [number[], number[], number[]] = [[], [], []];
  const moods = Array.from({ length: 4 }, () => Array.from({ length: d }, () => rng.normal()));
  for (let cell = 0; cell < side * side; cell++) {
    const mood = moods[rng.nextInt(moods.length)] ?? [];
    for (let slot = 0; slot < slotCount(levelCount); slot++) {
      const values = mood.map((value) => value + 0.3 * rng.normal());
      if (isMissing(cell, slot)) continue;
      const { m, i, j } = placeOf(slot);
      const px = COARSE_PX / 2 ** m;
      coords.push((cell % side) * COARSE_PX + j * px, Math.floor(cell / side) * COARSE_PX + i * px);
      level.push(levelCount - 1 - m);
      rows.push(...values);
    }
  }
  const n = level.length;
  const features =
    dtype === "F32"
      ? ({ dtype, data: Float32Array.from(rows) } as const)
      : ({ dtype, data: new Uint16Array(Float16Array.from(rows).buffer) } as const);
  const metadata = { levelCount, anchorPx: [0, 0], level0StridePx: COARSE_PX, encoder: "planted" } as const;
  return { n, d, features, coords: Int32Array.from(coords), level: Uint8Array.from(level), metadata };
}

/** Place in its block of a slot: coarse first, each magnification row by row. */
function placeOf(slot: number): { readonly m: number; readonly i: number; readonly j: number } {
  let [m, first] = [0, 0];
  while (slot >= first + 4 ** m) first += 4 ** m++;
  return { m, i: Math.floor((slot - first) / 2 ** m), j: (slot - first) % 2 ** m };
}
