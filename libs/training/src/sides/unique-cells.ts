import type { BagMetadata } from "@parfocal/bags";
import { gridFromCoords, type Model, type TileGrid } from "@parfocal/models";
import type { TileSides } from "./placed-tiles.ts";

// Legend: N tiles of a bag, M of them alone in their cell or first in it.

/**
 * The grid of a slide from its tiles' corners `[N, 2]`, by the stride that its bag states.
 *
 * @throws {DomainError} As `gridFromCoords`.
 */
export function slideGrid(coords: Int32Array, { level0StridePx }: BagMetadata): TileGrid {
  return gridFromCoords(coords, level0StridePx === undefined ? {} : { stridePx: level0StridePx });
}

/**
 * Rows `[M]`, ascending, of the tiles that a model takes which wants one of each cell: the first of the bag. Undefined: it takes
 * all. The tiles that are left have cells of their own also when the grid is made of them alone.
 *
 * @throws {DomainError} As `gridFromCoords`.
 */
export function uniqueRows(
  { hasUniqueCells }: Pick<Model, "hasUniqueCells">,
  { coords, metadata }: TileSides & { readonly metadata: BagMetadata },
): Int32Array<ArrayBuffer> | undefined {
  if (!hasUniqueCells || coords === undefined) return undefined;
  let rows: Int32Array<ArrayBuffer> | undefined;
  for (let left = coords; ; left = sidesOfRows({ coords }, rows).coords ?? left) {
    const { kept } = slideGrid(left, metadata);
    if (2 * kept.length === left.length) return rows;
    const before = rows;
    // Where corners were rounded, or the stride is found from them, what is left may lie on the grid a little differently.
    rows = before === undefined ? kept : kept.map((place) => before[place] ?? 0);
  }
}

/** What lies beside some rows of a bag, in their order. */
export function sidesOfRows({ coords, level }: TileSides, rows: Int32Array): TileSides {
  return {
    ...(coords && {
      coords: Int32Array.from({ length: 2 * rows.length }, (_, k) => coords[2 * (rows[k >> 1] ?? 0) + (k & 1)] ?? 0),
    }),
    ...(level && { level: Uint8Array.from(rows, (row) => level[row] ?? 0) }),
  };
}
