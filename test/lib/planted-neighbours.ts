import { type Bag, writeBag } from "@parfocal/bags";
import { createRng, type Rng } from "@parfocal/metrics";
import type { ObjectStore } from "@parfocal/store";
import type { LabelledBag, Part } from "@parfocal/training";
import { drawTissue, type Tissue } from "./planted-tissue.ts";

// Legend: N tiles, D features.

/**
 * What tells the classes of a planted cohort apart. `neighbours`: which tile types lie beside each other, and nothing else.
 * `presence`: a few tiles of a type that the other class lacks.
 */
export type PlantedSignal = "neighbours" | "presence";

/** Order in which a slide's tiles are stored. */
export type StorageOrder = "row-major" | "shuffled";

/** What a planted cohort is made of. */
export interface PlantedOptions {
  readonly signal: PlantedSignal;
  readonly order: StorageOrder;
  /** Slides by part; classes alternate. */
  readonly nTrain: number;
  readonly nTest: number;
  /** Least and greatest N of a slide. */
  readonly nTiles: readonly [number, number];
  readonly seed: bigint;
}

/** Features of a planted tile: a power of 2, so that rows of a Hadamard matrix are the types' directions. */
export const PLANTED_WIDTH = 64;

/** Distance between the centres of two types, in standard deviations of a feature. */
const SEPARATION = 16;

/** Distance between neighbouring tiles, pixels. */
const STRIDE_PX = 256;

/** Tile types: A and B make the motif, then come the fillers, then the one whose presence is a signal. */
const [TYPE_A, TYPE_B, FIRST_FILLER, N_FILLERS, TYPE_SIGN] = [1, 2, 3, 4, 7] as const;

/** Tiles of the sign in a slide that has it. */
const N_SIGN_TILES = 8;

/**
 * Writes a planted cohort. Tissue, fillers and places of the motif are drawn without a look at the label, and every slide
 * has the same numbers of A and B tiles. With the signal `neighbours` class 1 mixes A and B in each block of the motif and
 * class 0 has each block of one type, so nothing that ignores places can tell the classes apart. With `presence` the blocks
 * are mixed or pure by chance, and class 1 has 8 tiles of a type of its own. The same seed gives the same slides; both
 * storage orders have the same tiles.
 */
export async function plantNeighbours(store: ObjectStore, options: PlantedOptions): Promise<LabelledBag[]> {
  const bags: LabelledBag[] = [];
  for (let i = 0; i < options.nTrain + options.nTest; i++) {
    const part: Part = i < options.nTrain ? "train" : "test";
    const { bag, label } = plantSlide(i, options);
    bags.push({ bag: await writeBag(store, "bags/", bag), label, patient: `p${i}`, part });
  }
  return bags;
}

/** Types of a planted slide's tiles and where they lie. */
export interface PlantedSlide {
  readonly label: 0 | 1;
  readonly tissue: Tissue;
  /** `[N]`, rows of the tissue's cells from top to bottom. */
  readonly types: Uint8Array;
}

/** The plan of slide `index` of a cohort, without features. */
export function planSlide(index: number, { signal, nTiles, seed }: PlantedOptions): PlantedSlide {
  const rng = createRng(seed).fork(`slide ${index}`);
  const tissue = drawTissue(rng.fork("tissue"), nTiles);
  const label = index % 2 === 0 ? 0 : 1;
  const isMixed = signal === "neighbours" ? label === 1 : rng.fork("mix").nextInt(2) === 1;
  const types = drawFillers(rng.fork("fillers"), tissue.n);
  putMotif(types, tissue, isMixed, rng.fork("motif"));
  if (signal === "presence" && label === 1) putSign(types, rng.fork("sign"));
  return { label, tissue, types };
}

function plantSlide(index: number, options: PlantedOptions): { readonly bag: Bag; readonly label: 0 | 1 } {
  const { label, tissue, types } = planSlide(index, options);
  const rng = createRng(options.seed).fork(`features of slide ${index}`);
  const data = Float32Array.from({ length: tissue.n * PLANTED_WIDTH }, (_, k) => {
    return centre(types[Math.floor(k / PLANTED_WIDTH)] ?? 0, k % PLANTED_WIDTH) + rng.normal();
  });
  const rows = Uint32Array.from(types.keys());
  if (options.order === "shuffled") rng.fork("order").shuffle(rows);
  const bag: Bag = {
    n: tissue.n,
    d: PLANTED_WIDTH,
    features: { dtype: "F32", data: takeRows(data, rows, PLANTED_WIDTH) },
    coords: takeRows(tissue.cells, rows, 2).map((cell) => cell * STRIDE_PX),
    metadata: { encoder: "planted", level0StridePx: STRIDE_PX },
  };
  return { bag, label };
}

/** Feature `d` of the centre of a type: rows of the Hadamard matrix are orthogonal, so all centres are equally far apart. */
function centre(type: number, d: number): number {
  let sign = 1;
  for (let common = type & d; common > 0; common &= common - 1) sign = -sign;
  return (sign * SEPARATION) / Math.sqrt(2 * PLANTED_WIDTH);
}

function drawFillers(rng: Rng, n: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: n }, () => FIRST_FILLER + rng.nextInt(N_FILLERS));
}

/** Mixed: half of each block is A, half is B, at random places. Pure: half of the blocks are A, half are B. */
function putMotif(types: Uint8Array, { blocks }: Tissue, isMixed: boolean, rng: Rng): void {
  const kinds = blocks.map((_, b) => (b % 2 === 0 ? TYPE_A : TYPE_B));
  rng.shuffle(kinds);
  for (const [b, block] of blocks.entries()) {
    const mixture = block.map((_, i) => (i % 2 === 0 ? TYPE_A : TYPE_B));
    rng.shuffle(mixture);
    for (const [i, row] of block.entries()) types[row] = (isMixed ? mixture[i] : kinds[b]) ?? TYPE_A;
  }
}

function putSign(types: Uint8Array, rng: Rng): void {
  const fillers = [...types.keys()].filter((row) => (types[row] ?? 0) >= FIRST_FILLER);
  for (const row of rng.shuffle(fillers).slice(0, N_SIGN_TILES)) types[row] = TYPE_SIGN;
}

function takeRows<T extends Float32Array | Int32Array>(values: T, rows: Uint32Array, width: number): T {
  const taken = values.slice() as T;
  for (const [to, from] of rows.entries()) taken.set(values.subarray(from * width, (from + 1) * width), to * width);
  return taken;
}
