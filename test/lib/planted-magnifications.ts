import { type Bag, writeBag } from "@parfocal/bags";
import { createRng, type Rng } from "@parfocal/metrics";
import type { ObjectStore } from "@parfocal/store";
import type { LabelledBag, Part } from "@parfocal/training";

// Legend: N tiles, D features; m counts magnifications from the coarsest, 0.

/** What a planted cohort of several magnifications is made of. */
export interface MagnificationOptions {
  /** Slides by part; classes alternate. */
  readonly nTrain: number;
  readonly nValidation: number;
  readonly nTest: number;
  /** Compartments along the side of a slide's square, even; default 4. */
  readonly side?: number;
  /** Coarse tiles along the side of a compartment; default 2. Regions of as many, or fewer, may lie within one. */
  readonly compartmentSide?: number;
  /** Magnifications, each twice the one before: 2, or 3 with one of noise alone between the two that tell something; default 3. */
  readonly levelCount?: number;
  /** Standard deviation of the noise on every feature; default 1. */
  readonly noise?: number;
  readonly seed: bigint;
}

/** Features of a planted tile. */
export const MAGNIFICATION_WIDTH = 16;

/** Side of a coarse tile, level-0 pixels. */
const STRIDE_PX = 1024;

/** Distance between the two types' coarse tiles, and between hot and cold fine ones, in units of a feature. */
const SEPARATION = 6;

/** The two ways in which the hot half of a compartment's fine tiles lies. */
export type Arrangement = "stripes" | "checkerboard";

/** What a compartment is made of. */
export interface Compartment {
  /** Of its tissue: seen in coarse tiles alone. */
  readonly type: 0 | 1;
  /** Seen in fine tiles alone, and only in where they lie. */
  readonly arrangement: Arrangement;
  /** Whether the first fine tile is hot. */
  readonly isShifted: boolean;
}

/** The plan of a slide, without features. */
export interface PlannedSlide {
  readonly label: 0 | 1;
  /** Row by row. */
  readonly compartments: readonly Compartment[];
}

/**
 * Writes a planted cohort as bags of three magnifications. Half of a slide's compartments are of type 0, half of type 1; half of
 * them have their hot fine tiles in stripes, half in a checkerboard; half of all fine tiles are hot. All of that is so in every
 * slide. The classes differ in the pairing alone: in class 1 compartments of type 1 are striped and those of type 0 checkered, in
 * class 0 the other way. So no single magnification tells them apart, nor do several that are looked at without places. Tiles
 * of the middle magnification are noise. The same seed gives the same slides.
 */
export async function plantMagnifications(store: ObjectStore, options: MagnificationOptions): Promise<LabelledBag[]> {
  const parts: Part[] = [
    ...new Array<Part>(options.nTrain).fill("train"),
    ...new Array<Part>(options.nValidation).fill("validation"),
    ...new Array<Part>(options.nTest).fill("test"),
  ];
  const bags: LabelledBag[] = [];
  for (const [index, part] of parts.entries()) {
    const bag = await writeBag(store, "bags/", magnificationBag(index, options));
    bags.push({ bag, label: planMagnifications(index, options).label, patient: `p${index}`, part });
  }
  return bags;
}

/** The plan of slide `index` of a cohort. */
export function planMagnifications(index: number, { seed, side = 4 }: MagnificationOptions): PlannedSlide {
  const rng = createRng(seed).fork(`slide ${index}`);
  const label = index % 2 === 0 ? 0 : 1;
  const types = Array.from({ length: side * side }, (_, c): 0 | 1 => (c % 2 === 0 ? 0 : 1));
  rng.shuffle(types);
  const compartments = types.map((type): Compartment => {
    return { type, arrangement: type === label ? "stripes" : "checkerboard", isShifted: rng.nextInt(2) === 1 };
  });
  return { label, compartments };
}

/**
 * Whether the fine tile in row i and column j is hot: every second one of a striped or checkered square. A compartment has an even
 * number of them along its side, so rows and columns may be counted from its corner or from the slide's.
 */
export function isHot({ arrangement, isShifted }: Compartment, i: number, j: number): boolean {
  return (i + (arrangement === "stripes" ? 0 : j) + Number(isShifted)) % 2 === 0;
}

/** Slide `index` of a cohort as a bag in block order: coarse cells row by row, in each the coarse tile, its 4 children, their 16. */
export function magnificationBag(index: number, options: MagnificationOptions): Bag {
  const { side = 4, compartmentSide = 2, levelCount = 3, noise = 1, seed } = options;
  const { compartments } = planMagnifications(index, options);
  const rng = createRng(seed).fork(`features of slide ${index}`);
  const nCells = side * compartmentSide;
  const places = Array.from({ length: nCells ** 2 }, (_, cell) =>
    blockPlaces(Math.floor(cell / nCells), cell % nCells, levelCount),
  ).flat();
  const features = new Float32Array(places.length * MAGNIFICATION_WIDTH);
  for (const [row, place] of places.entries()) {
    const compartment = compartments[compartmentOf(place, side, compartmentSide)];
    if (compartment !== undefined)
      putTile(features, row, { place, compartment, isFine: place.m === levelCount - 1, noise, rng });
  }
  return {
    n: places.length,
    d: MAGNIFICATION_WIDTH,
    features: { dtype: "F32", data: features },
    coords: Int32Array.from(places.flatMap(({ m, i, j }) => [(j * STRIDE_PX) / 2 ** m, (i * STRIDE_PX) / 2 ** m])),
    level: Uint8Array.from(places, ({ m }) => levelCount - 1 - m),
    metadata: { encoder: "planted", level0StridePx: STRIDE_PX, levelCount, anchorPx: [0, 0] },
  };
}

/** Where a tile lies: magnification, row and column in its grid. */
interface Place {
  readonly m: number;
  readonly i: number;
  readonly j: number;
}

function blockPlaces(row: number, column: number, levelCount: number): Place[] {
  return Array.from({ length: levelCount }, (_, m) => {
    const n = 2 ** m;
    return Array.from({ length: n * n }, (_, at) => ({ m, i: row * n + Math.floor(at / n), j: column * n + (at % n) }));
  }).flat();
}

function compartmentOf({ m, i, j }: Place, side: number, compartmentSide: number): number {
  const width = compartmentSide * 2 ** m;
  return Math.floor(i / width) * side + Math.floor(j / width);
}

interface Tile {
  readonly place: Place;
  readonly isFine: boolean;
  readonly compartment: Compartment;
  readonly noise: number;
  readonly rng: Rng;
}

/** Feature 0 tells types in coarse tiles, feature 1 hot from cold in fine ones; feature 2 + m tells the magnification. */
function putTile(
  features: Float32Array,
  row: number,
  { place: { m, i, j }, isFine, compartment, noise, rng }: Tile,
): void {
  const first = row * MAGNIFICATION_WIDTH;
  for (let k = 0; k < MAGNIFICATION_WIDTH; k++) features[first + k] = noise * rng.normal();
  const signs: [number, number][] = [[2 + m, 1]];
  if (m === 0) signs.push([0, compartment.type === 1 ? 1 : -1]);
  if (isFine) signs.push([1, isHot(compartment, i, j) ? 1 : -1]);
  for (const [k, sign] of signs) features[first + k] = (features[first + k] ?? 0) + (sign * SEPARATION) / 2;
}
