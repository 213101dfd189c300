import { DomainError } from "@parfocal/errors";
import { inferStride } from "@parfocal/geometry";
import { MAX_GRID_CELL } from "@parfocal/tensor";

// Legend: N tiles.

/** Options of {@link gridFromCoords}. */
export interface GridOptions {
  /** Distance between neighbouring tiles, in the pixels of the coordinates. Absent: found from the coordinates. */
  readonly stridePx?: number;
}

/** Where the tiles of one slide lie on its grid. */
export interface TileGrid {
  /** `[N, 2]` (column, row), whole, the smallest of each axis 0. */
  readonly grid: Int32Array<ArrayBuffer>;
  /** Distance between neighbouring cells, pixels. */
  readonly stridePx: number;
  /** Whether {@link stridePx} was found from the coordinates because nobody gave it. */
  readonly isStrideInferred: boolean;
  /**
   * Rows of the tiles that come first in their cell, ascending; all N rows unless tiles share cells. Lattices of different
   * pieces of tissue may overlap. Of a model with `hasUniqueCells` feeders keep these rows of everything else.
   */
  readonly kept: Int32Array<ArrayBuffer>;
}

/**
 * Grid cells of tiles from their corners `coords` `[N, 2]` (x, y) in pixels: `floor(coord / stride)` per axis, less the
 * smallest of the slide. Pure and deterministic, O(N log N).
 *
 * Source: Pochet et al. 2023 (RoFormer for position-aware MIL), whose rule is `trunc(trunc(coord / factor) / 256)` with tiles of
 * `256 · factor` level-0 pixels. Differs: negative coordinates are floored; with a stride that is not whole, coordinates
 * were rounded, so they count from the smallest and with one pixel of slack.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` when `coords` are no pairs; `INVALID_ARGUMENT` for a stride that is not above 0;
 * `GEOMETRY_MISMATCH` when the slide spans more than 262 143 cells.
 */
export function gridFromCoords(coords: Int32Array, { stridePx }: GridOptions = {}): TileGrid {
  if (coords.length % 2 !== 0)
    throw new DomainError("SHAPE_MISMATCH", `coordinates have ${coords.length} numbers; they must be pairs`);
  if (stridePx !== undefined && !(stridePx > 0 && Number.isFinite(stridePx)))
    throw new DomainError("INVALID_ARGUMENT", `the stride of the tiles is ${stridePx} px; it must be above 0`);
  const stride = stridePx ?? inferStride(coords);
  const grid = new Int32Array(coords.length);
  for (const axis of [0, 1] as const) fillAxis(grid, coords, axis, stride);
  return { grid, stridePx: stride, isStrideInferred: stridePx === undefined, kept: firstOfCells(grid) };
}

/** Writes the cells of one axis into `grid`. */
function fillAxis(grid: Int32Array, coords: Int32Array, axis: 0 | 1, stride: number): void {
  const smallest = minimumOf(coords, axis);
  const isWhole = Number.isInteger(stride);
  const cellOf = (coord: number) =>
    isWhole ? Math.floor(coord / stride) : Math.floor((coord - smallest + 1) / stride);
  const first = isWhole ? cellOf(smallest) : 0;
  for (let i = axis; i < coords.length; i += 2) {
    const cell = cellOf(coords[i] ?? 0) - first;
    if (cell >= MAX_GRID_CELL) {
      const message = `the slide spans ${cell + 1} tiles of ${stride} px; a grid has at most ${MAX_GRID_CELL - 1}`;
      throw new DomainError("GEOMETRY_MISMATCH", message);
    }
    grid[i] = cell;
  }
}

function minimumOf(coords: Int32Array, axis: 0 | 1): number {
  let smallest = Number.POSITIVE_INFINITY;
  for (let i = axis; i < coords.length; i += 2) smallest = Math.min(smallest, coords[i] ?? 0);
  return smallest;
}

function firstOfCells(grid: Int32Array): Int32Array<ArrayBuffer> {
  const taken = new Set<number>();
  const rows: number[] = [];
  for (let row = 0; row < grid.length / 2; row++) {
    const cell = (grid[2 * row] ?? 0) * MAX_GRID_CELL + (grid[2 * row + 1] ?? 0);
    if (taken.has(cell)) continue;
    taken.add(cell);
    rows.push(row);
  }
  return Int32Array.from(rows);
}
