import { extentOf, inferStridePx, type TileValues } from "./tile-grid.ts";

type Cells = Required<Pick<TileValues, "coords" | "values" | "tilePx">>;

/**
 * The weights of a slide's tiles of several magnifications as one map: the sum over the tiles of each square of a coarse tile's
 * side, counted from the leftmost and the topmost tile. Rows that stand for larger squares (a region each) keep theirs. A sum of
 * weights stays one: nothing is drawn twice and nothing is hidden below a larger tile.
 *
 * @param coarsePx Side of a coarse tile, in the unit of `coords`.
 */
export function sumByCell(tiles: TileValues, coarsePx: number): Cells {
  return joinByCell(tiles, coarsePx, (a, b) => a + b);
}

/** The same of scores, which no sum has a meaning of: the largest of each square. */
export function largestByCell(tiles: TileValues, coarsePx: number): Cells {
  return joinByCell(tiles, coarsePx, Math.max);
}

function joinByCell({ coords, values }: TileValues, coarsePx: number, join: (a: number, b: number) => number): Cells {
  const tilePx = Math.max(coarsePx, inferStridePx(coords));
  const { minX, minY } = extentOf(coords);
  const joined = new Map<string, { readonly x: number; readonly y: number; value: number }>();
  for (const [tile, value] of values.entries()) {
    // Coordinates are rounded: the corner of a cell may lie a pixel before it.
    const [column, row] = [minX, minY].map((min, axis) =>
      Math.floor(((coords[2 * tile + axis] ?? 0) - min + 1) / tilePx),
    );
    const key = `${column} ${row}`;
    const cell = joined.get(key);
    if (cell !== undefined) cell.value = join(cell.value, value);
    else joined.set(key, { x: minX + (column ?? 0) * tilePx, y: minY + (row ?? 0) * tilePx, value });
  }
  const cells = [...joined.values()];
  return {
    coords: Int32Array.from(cells.flatMap(({ x, y }) => [Math.round(x), Math.round(y)])),
    values: Float32Array.from(cells, ({ value }) => value),
    tilePx,
  };
}
