import { createRng, type Rng } from "@parfocal/metrics";

// Legend: N tiles, D features; m counts magnifications from the coarsest, 0. A compartment is 2 × 2 coarse tiles.

/** The tiles of a made-up slide at one magnification. */
export interface PlantedMagnification {
  /** What it is called: 5x, 10x or 20x. */
  readonly name: string;
  readonly magnification: number;
  readonly n: number;
  /** `[N, D]` row-major. */
  readonly features: Float32Array;
  /** `[N, 2]` level-0 pixels of each tile's top left. */
  readonly coords: Int32Array;
  /** Distance of neighbouring tiles in level-0 pixels. */
  readonly stridePx: number;
}

/** A made-up slide at several magnifications. */
export interface MagnifiedSlide {
  readonly slideId: string;
  readonly patient: string;
  readonly label: MagnifiedClass;
  /** Coarsest first. */
  readonly magnifications: readonly PlantedMagnification[];
}

/** The classes of a cohort at several magnifications, negative first. */
export const MAGNIFIED_CLASSES = ["crossed", "paired"] as const;

/** One of {@link MAGNIFIED_CLASSES}. */
type MagnifiedClass = (typeof MAGNIFIED_CLASSES)[number];

/** Features per tile. */
export const MAGNIFIED_DIM = 16;

/** The magnifications, of a slide scanned at 40x. */
const MAGNIFICATIONS = [5, 10, 20] as const;

/** Side of a tile in pixels at its own magnification. */
export const MAGNIFIED_TILE_PX = 224;

const SCAN_MAGNIFICATION = 40;

/** Coarse tiles along the side of a compartment. */
const COMPARTMENT_SIDE = 2;

/** Distance between the two types' coarse tiles, and between hot and cold fine ones; noise has a deviation of 1. */
const SEPARATION = 6;

interface Compartment {
  readonly type: 0 | 1;
  readonly isStriped: boolean;
  readonly isShifted: boolean;
}

/**
 * Slides of one patient each, a square of `side` × `side` compartments, `side` even. A compartment is of one of two types, which
 * only coarse tiles show; half of its fine tiles are hot, in stripes or in a checkerboard; tiles of the middle magnification are
 * noise. Every slide has as many compartments of each type and of each arrangement. In the positive class compartments of type
 * 1 are striped and those of type 0 checkered, in the negative class the other way: no magnification by itself tells the
 * classes apart. Classes alternate. Deterministic in `seed`; slides do not depend on how many there are.
 */
export function plantMagnified(nSlides: number, side: number, seed: bigint): MagnifiedSlide[] {
  return Array.from({ length: nSlides }, (_, index) => {
    const rng = createRng(seed).fork(`magnified slide ${index}`);
    const label = MAGNIFIED_CLASSES[index % 2] ?? "crossed";
    const compartments = plan(label, side, rng);
    const origin = [8000 + rng.nextInt(20_000), 8000 + rng.nextInt(20_000)] as const;
    const id = String(index + 1).padStart(3, "0");
    const magnifications = MAGNIFICATIONS.map((magnification, m) => {
      return plantTiles({ m, magnification, side, compartments, origin }, rng.fork(`level ${m}`));
    });
    return { slideId: `M${id}`, patient: `M${id}`, label, magnifications };
  });
}

function plan(label: MagnifiedClass, side: number, rng: Rng): Compartment[] {
  const types = Array.from({ length: side * side }, (_, c): 0 | 1 => (c % 2 === 0 ? 0 : 1));
  rng.shuffle(types);
  return types.map((type) => ({
    type,
    isStriped: (type === 1) === (label === "paired"),
    isShifted: rng.nextInt(2) === 1,
  }));
}

interface TilePlan {
  readonly m: number;
  readonly magnification: number;
  readonly side: number;
  readonly compartments: readonly Compartment[];
  readonly origin: readonly [number, number];
}

function plantTiles({ m, magnification, side, compartments, origin }: TilePlan, rng: Rng): PlantedMagnification {
  const perCompartment = COMPARTMENT_SIDE * 2 ** m;
  const nColumns = side * perCompartment;
  const n = nColumns * nColumns;
  const stridePx = (MAGNIFIED_TILE_PX * SCAN_MAGNIFICATION) / magnification;
  const features = Float32Array.from({ length: n * MAGNIFIED_DIM }, () => rng.normal());
  const coords = new Int32Array(2 * n);
  for (let tile = 0; tile < n; tile++) {
    const [row, column] = [Math.floor(tile / nColumns), tile % nColumns];
    coords.set([origin[0] + column * stridePx, origin[1] + row * stridePx], 2 * tile);
    const at = Math.floor(row / perCompartment) * side + Math.floor(column / perCompartment);
    const compartment = compartments[at];
    if (compartment !== undefined) addSigns(features.subarray(tile * MAGNIFIED_DIM), { m, row, column, compartment });
  }
  return { name: `${magnification}x`, magnification, n, features, coords, stridePx };
}

/** Feature 0 tells types in coarse tiles, feature 1 hot from cold in fine ones; feature 2 + m tells the magnification. */
function addSigns(
  tile: Float32Array,
  at: { readonly m: number; readonly row: number; readonly column: number; readonly compartment: Compartment },
): void {
  const { m, row, column, compartment } = at;
  const add = (feature: number, value: number) => {
    tile[feature] = (tile[feature] ?? 0) + value;
  };
  add(2 + m, SEPARATION / 2);
  if (m === 0) add(0, (compartment.type === 1 ? SEPARATION : -SEPARATION) / 2);
  const parity = row + (compartment.isStriped ? 0 : column) + Number(compartment.isShifted);
  if (m === MAGNIFICATIONS.length - 1) add(1, (parity % 2 === 0 ? SEPARATION : -SEPARATION) / 2);
}
