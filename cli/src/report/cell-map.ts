import { extentOf, inferStridePx, type TileValues } from "./tile-grid.ts";

/**
 * The values of a slide's tiles of several magnifications as one map: the sum over the tiles of each square of a coarse tile's
 * side, counted from the leftmost and the topmost tile. Rows that stand for larger squares (a region each) keep theirs. A sum of
 * weights stays one: nothing is drawn twice and nothing is hidden below a larger tile.
 *
 * @param coarsePx Side of a coarse tile, in the unit of `coords`.
 */
export function sumByCell({ coords, values }: TileValues, coarsePx: number): Required<Omit<TileValues, "coordUnit">> {
  const tilePx = Math.max(coarsePx, inferStridePx(coords));
  const { minX, minY } = extentOf(coords);
  const sums = new Map<string, { readonly x: number; readonly y: number; sum: number }>();
  for (const [tile, value] of values.entries()) {
    // Coordinates are rounded: the corner of a cell may lie a pixel before it.
    const [column, row] = [minX, minY].map((min, axis) =>
      Math.floor(((coords[2 * tile + axis] ?? 0) - min + 1) / tilePx),
    );
    const key = `${column} ${row}`;
    const cell = sums.get(key);
    if (cell !== undefined) cell.sum += value;
    else sums.set(key, { x: minX + (column ?? 0) * tilePx, y: minY + (row ?? 0) * tilePx, sum: value });
  }
  const cells = [...sums.values()];
  return {
    coords: Int32Array.from(cells.flatMap(({ x, y }) => [Math.round(x), Math.round(y)])),
    values: Float32Array.from(cells, ({ sum }) => sum),
    tilePx,
  };
}
