import { DomainError } from "@parfocal/errors";
import { magnificationFromLevel } from "@parfocal/geometry";
import { countTokens, type RegionRule } from "@parfocal/models";
import type { PlacedTiles } from "./placed-tiles.ts";

/** How the tiles of a bag lie in regions. N tiles, M of them looked at, R regions of T tokens. */
export interface RegionLayout {
  /** `[M]`: rows of the tiles that are looked at, ascending. */
  readonly kept: Int32Array<ArrayBuffer>;
  /** `[R, T]`: the tile of each token, counted among those looked at; M where there is none. */
  readonly slots: Int32Array<ArrayBuffer>;
  /** `[M]`: where each tile lies in `slots`. */
  readonly places: Int32Array<ArrayBuffer>;
  /** `[R, 2]` (x, y): where each region begins, level-0 pixels. */
  readonly corners: Int32Array<ArrayBuffer>;
}

/** Largest distance of a tile from its place on the grid, in its own side: beyond it the anchor is another grid's. */
const MAX_OFFSET = 0.25;

/**
 * Lays the tiles of a bag into regions of r × r coarse tiles, which follow each other from the bag's anchor without overlap. Regions
 * that hold no tile are left out; the rest come row by row. Order of rows in the bag changes nothing but the numbers of tiles.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` when the bag has no tile of the magnifications that are looked at, when a tile lies
 * off the grid, or when two lie at one place.
 * Source: Zimmermann et al. 2026 (arXiv:2602.22176), regions of the aggregation. Differs: regions may lack tiles.
 */
export function layRegions(rule: RegionRule, tiles: PlacedTiles): RegionLayout {
  const kept = keptRows(rule, tiles);
  const [keys, tokens] = locate(rule, tiles, kept);
  const regions = [...new Set(keys)].sort((a, b) => a - b);
  const numbers = new Map(regions.map((key, number) => [key, number]));
  const nTokens = countTokens(rule);
  const slots = new Int32Array(regions.length * nTokens).fill(kept.length);
  const places = tokens.map((token, tile) => (numbers.get(keys[tile] ?? 0) ?? 0) * nTokens + token);
  for (const [tile, slot] of places.entries()) {
    if (slots[slot] !== kept.length)
      throw new DomainError("GEOMETRY_MISMATCH", "two tiles of the bag lie at one place");
    slots[slot] = tile;
  }
  return { kept, slots, places, corners: cornersOf(rule, tiles, regions) };
}

/**
 * Rows of the tiles whose magnification is looked at, ascending.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` when there is none.
 */
export function keptRows(
  { levels, levelCount }: RegionRule,
  { level }: Pick<PlacedTiles, "level">,
): Int32Array<ArrayBuffer> {
  const isKept = (row: number) => levels.includes(magnificationFromLevel(level[row] ?? 0, levelCount));
  const kept = Int32Array.from(level.keys()).filter(isKept);
  if (kept.length > 0) return kept;
  const message = `the bag has no tile of the magnifications ${levels.join(", ")} (0: the coarsest) that the model looks at`;
  throw new DomainError("GEOMETRY_MISMATCH", message, { details: { field: "levels", expected: levels.join(", ") } });
}

/** Rows and columns of regions lie within plus and minus half of this; together they are one whole number, exactly. */
const SPAN = 2 ** 24;

/** The region of every tile that is looked at, as a number that rises from the top and in each row from the left, and its token. */
function locate(
  { levels, levelCount, regionTiles }: RegionRule,
  { coords, level, anchorPx: [x, y], stridePx }: PlacedTiles,
  kept: Int32Array,
): [keys: Float64Array, tokens: Int32Array<ArrayBuffer>] {
  const [keys, tokens] = [new Float64Array(kept.length), new Int32Array(kept.length)];
  const sides = Array.from({ length: levelCount }, (_, m) => regionTiles * 2 ** m);
  const before = sides.map((_, m) => levels.reduce((sum, l) => sum + (l < m ? (sides[l] ?? 0) ** 2 : 0), 0));
  for (const [tile, row] of kept.entries()) {
    const m = magnificationFromLevel(level[row] ?? 0, levelCount);
    const [side, tilePx] = [sides[m] ?? 1, stridePx / 2 ** m];
    const j = onGrid((coords[2 * row] ?? 0) - x, tilePx);
    const i = onGrid((coords[2 * row + 1] ?? 0) - y, tilePx);
    const [regionI, regionJ] = [Math.floor(i / side), Math.floor(j / side)];
    keys[tile] = regionI * SPAN + regionJ + SPAN / 2;
    tokens[tile] = (before[m] ?? 0) + (i - regionI * side) * side + j - regionJ * side;
  }
  return [keys, tokens];
}

function onGrid(distance: number, tilePx: number): number {
  const cell = Math.round(distance / tilePx);
  const offset = Math.abs(distance / tilePx - cell);
  if (offset <= MAX_OFFSET) return cell;
  const message = `a tile lies ${offset.toFixed(2)} of its side off the bag's grid; at most ${MAX_OFFSET} is taken`;
  throw new DomainError("GEOMETRY_MISMATCH", message);
}

function cornersOf(
  { regionTiles }: RegionRule,
  { anchorPx: [x, y], stridePx }: PlacedTiles,
  regions: readonly number[],
): Int32Array<ArrayBuffer> {
  const side = regionTiles * stridePx;
  return Int32Array.from(
    regions.flatMap((key) => {
      const row = Math.floor(key / SPAN);
      return [Math.round(x + (key - row * SPAN - SPAN / 2) * side), Math.round(y + row * side)];
    }),
  );
}
