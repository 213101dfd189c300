import type { Rng } from "@parfocal/metrics";

/** Cells of a piece of tissue and the blocks that a motif may fill. */
export interface Tissue {
  readonly n: number;
  /** `[N, 2]` column and row of each cell, row by row from the top. */
  readonly cells: Int32Array<ArrayBuffer>;
  /** Squares of cells, by their places in `cells`; no two touch, not even at a corner. */
  readonly blocks: readonly (readonly number[])[];
}

/** Side of the raster that tissue is cut from; the largest pieces stay inside it. */
const RASTER = 64;

/** Side of a block, cells. */
const BLOCK_SIDE = 4;

/** Even, so that half of the blocks can be of one type. */
const N_BLOCKS = 4;

/**
 * A blob of `nTiles` (least to greatest, uniform) cells with room for four blocks of 4 × 4 cells that do not touch, drawn again
 * until it has. The bounds must leave such room: 150 cells do, most of the time.
 */
export function drawTissue(rng: Rng, [least, greatest]: readonly [number, number]): Tissue {
  const n = least + rng.nextInt(greatest - least + 1);
  for (;;) {
    const cells = drawBlob(rng, n);
    const blocks = placeBlocks(cells, rng);
    if (blocks.length === N_BLOCKS) return { n, cells: Int32Array.from(cells.flatMap(coordsOf)), blocks };
  }
}

/** The `n` cells nearest to the middle, by a distance that waves with the direction: cell numbers in rising order. */
function drawBlob(rng: Rng, n: number): number[] {
  const waves = [1, 2, 3].map((k) => ({ k, height: 0.25 * rng.nextFloat(), phase: 2 * Math.PI * rng.nextFloat() }));
  const distance = (cell: number): number => {
    const [x, y] = coordsOf(cell).map((coord) => coord - RASTER / 2) as [number, number];
    const angle = Math.atan2(y, x);
    const reach = waves.reduce((sum, { k, height, phase }) => sum + height * Math.cos(k * angle + phase), 1);
    return Math.hypot(x, y) / reach;
  };
  const distances = Float64Array.from({ length: RASTER ** 2 }, (_, cell) => distance(cell));
  const nearest = [...distances.keys()].sort((a, b) => (distances[a] ?? 0) - (distances[b] ?? 0) || a - b);
  return nearest.slice(0, n).sort((a, b) => a - b);
}

function coordsOf(cell: number): [number, number] {
  return [cell % RASTER, Math.floor(cell / RASTER)];
}

/** Up to four blocks in random order of their places, as indices into `cells`. */
function placeBlocks(cells: readonly number[], rng: Rng): number[][] {
  const places = new Map(cells.map((cell, i) => [cell, i]));
  const blocks: { readonly corner: number; readonly rows: number[] }[] = [];
  for (const corner of rng.shuffle([...cells])) {
    const rows = blockCells(corner).map((cell) => places.get(cell));
    if (!rows.every((row) => row !== undefined)) continue;
    if (blocks.length < N_BLOCKS && blocks.every((other) => areApart(other.corner, corner)))
      blocks.push({ corner, rows });
  }
  return blocks.map(({ rows }) => rows);
}

function blockCells(corner: number): number[] {
  return Array.from({ length: BLOCK_SIDE ** 2 }, (_, i) => {
    return corner + (i % BLOCK_SIDE) + RASTER * Math.floor(i / BLOCK_SIDE);
  });
}

function areApart(a: number, b: number): boolean {
  const [[ax, ay], [bx, by]] = [coordsOf(a), coordsOf(b)];
  return Math.max(Math.abs(ax - bx), Math.abs(ay - by)) > BLOCK_SIDE;
}
