import { DomainError } from "@parfocal/errors";
import { magnificationFromLevel, slotCount } from "@parfocal/geometry";
import type { Bag } from "../bag.ts";
import { type Magnification, magnificationsOf } from "./magnifications.ts";
import { type GridTiles, placeBags } from "./place-bags.ts";
import type { ResolvedRegionOptions } from "./region-options.ts";
import { assertSameSource } from "./same-source.ts";
import { SURROGATE, surrogateTiles } from "./surrogate-tiles.ts";
import { TILE_FLAGS } from "./tile-flags.ts";

// Legend: N tiles of all magnifications that are kept, S of them stand-ins, L magnifications, m one of them (0 = coarsest).

/** What a build found. */
export interface RegionReport {
  /** `[L]` tiles of each magnification, coarsest first. */
  readonly tileCounts: readonly number[];
  /** Coarse cells that hold at least one tile, and those that hold every tile of every magnification. */
  readonly cellCount: number;
  readonly fullCellCount: number;
  /** Side of a coarse tile in level-0 pixels. */
  readonly coarseTilePx: number;
  /** `[L]` largest distance of a tile from its cell, in tiles. */
  readonly largestOffsets: readonly number[];
  /** Tiles that lay further from their cell than allowed and were matched by their centre. */
  readonly unalignedCount: number;
  /** Tiles that were left out: their bag was thinned out, or another tile of their cell lay nearer. */
  readonly decimatedCount: number;
  /** Magnifications (0 = coarsest) whose tiles are all stand-ins, ascending; these count among the tiles above. */
  readonly surrogateLevels: readonly number[];
}

/** The tiles of a slide's bags on one grid, in block order: coarse cells row by row, each its slots in order. */
export interface GroundedSlide {
  readonly n: number;
  readonly levelCount: number;
  /** Side of a coarse cell, level-0 pixels. */
  readonly coarsePx: number;
  /** Corner of cell (0, 0), the first row and column that hold a tile. */
  readonly anchorPx: readonly [number, number];
  /** `[N]` index of the tile's bag, and its row there; of a stand-in {@link SURROGATE}, and its number. */
  readonly bag: Uint8Array;
  readonly row: Uint32Array;
  /** `[S, 4]` where among the N tiles the children of each stand-in are. */
  readonly children: Uint32Array;
  /** `[N, 2]` (x, y) of its cell, level-0 pixels. */
  readonly coords: Int32Array;
  /** `[N]`, 0 = finest as in every bag. */
  readonly level: Uint8Array;
  /** `[N]` {@link TILE_FLAGS} as far as a tile alone tells them: `pseudo`, `unaligned`. */
  readonly flags: Uint8Array;
  /** Index of the finest bag, and its level: above 0 where the finest magnification has no bag. */
  readonly finestBag: number;
  readonly finestLevel: number;
  readonly report: RegionReport;
}

/**
 * Brings the bags of a slide, one per magnification in any order, onto one grid: that of the coarsest. Pure.
 *
 * @throws {DomainError} GEOMETRY_MISMATCH or SHAPE_MISMATCH when they are not of one slide and encoder, their sides are no
 * powers of 2 apart, a bag lies off the grid, two different tiles lie in one cell, or the finest would have to be made up; see
 * docs/bags.md.
 * Source: Zimmermann et al. 2026 (arXiv:2602.22176), "grounded to a common level"; the rules are ours.
 */
export function groundBags(bags: readonly Bag[], options: ResolvedRegionOptions): GroundedSlide {
  assertSameSource(
    bags.map(({ n, d, features, coords, metadata }) => {
      return { n, d, dtype: features.dtype, hasCoords: coords !== undefined, metadata };
    }),
  );
  const magnifications = magnificationsOf(
    bags.map(({ metadata }) => metadata),
    options,
  );
  const placed = placeBags(bags, magnifications, options);
  const kept = withoutDuplicates(sortedByBlock(placed), placed, bags, options);
  const lacking = options.surrogateLevels === true ? lackingLevels(magnifications, options.levelCount) : [];
  const { tiles, order, children } = surrogateTiles(placed, kept, lacking);
  const flags = Uint8Array.from(order, (tile) => {
    if (tiles.bag[tile] === SURROGATE) return TILE_FLAGS.pseudo;
    return (tiles.offset[tile] ?? 0) > options.maxOffset ? TILE_FLAGS.unaligned : 0;
  });
  const grounded = groundedSlide(tiles, order, magnifications);
  const report = reportOf(tiles, order, placed.row.length - kept.length);
  const surrogateLevels = lacking.filter((m) => (report.tileCounts[m] ?? 0) > 0);
  return { ...grounded, flags, children, report: { ...report, surrogateLevels } };
}

/** Magnifications that no bag is of, coarsest first. */
function lackingLevels(magnifications: readonly Magnification[], levelCount: number): number[] {
  const found = new Set(magnifications.map(({ m }) => m));
  return Array.from({ length: levelCount }, (_, m) => m).filter((m) => !found.has(m));
}

/** Tiles in block order; of those in one cell the nearest comes first. */
function sortedByBlock({ key, offset }: GridTiles): Uint32Array {
  const order = Uint32Array.from(key.keys());
  const at = (values: Float64Array, tile: number) => values[tile] ?? 0;
  return order.sort((a, b) => at(key, a) - at(key, b) || at(offset, a) - at(offset, b) || a - b);
}

function withoutDuplicates(
  order: Uint32Array,
  tiles: GridTiles,
  bags: readonly Bag[],
  { matchByCentre }: ResolvedRegionOptions,
): Uint32Array {
  let last: number | undefined;
  return order.filter((tile) => {
    const first = last;
    last = tile;
    if (first === undefined || tiles.key[first] !== tiles.key[tile]) return true;
    last = first;
    const [a, b] = [tiles.row[first] ?? 0, tiles.row[tile] ?? 0];
    const bag = bags[tiles.bag[tile] ?? 0];
    if (matchByCentre || (bag !== undefined && isSameRow(bag, a, b))) return false;
    const rows = `rows ${Math.min(a, b)} and ${Math.max(a, b)} of bag ${tiles.bag[tile]}`;
    throw new DomainError("GEOMETRY_MISMATCH", `${rows} lie in one cell with different features`);
  });
}

function isSameRow({ d, features }: Bag, a: number, b: number): boolean {
  const { buffer, byteOffset, BYTES_PER_ELEMENT } = features.data;
  const bytesOf = (row: number) => Buffer.from(buffer, byteOffset + row * d * BYTES_PER_ELEMENT, d * BYTES_PER_ELEMENT);
  return bytesOf(a).equals(bytesOf(b));
}

function groundedSlide(
  tiles: GridTiles,
  order: Uint32Array,
  magnifications: readonly Magnification[],
): Omit<GroundedSlide, "flags" | "children" | "report"> {
  const finest = magnifications.at(-1);
  const { coarsePx, anchorPx, levelCount } = tiles;
  const coords = new Int32Array(2 * order.length);
  order.forEach((tile, at) => {
    const side = coarsePx / 2 ** (tiles.m[tile] ?? 0);
    coords[2 * at] = levelPixel(anchorPx[0] + (tiles.j[tile] ?? 0) * side);
    coords[2 * at + 1] = levelPixel(anchorPx[1] + (tiles.i[tile] ?? 0) * side);
  });
  return {
    ...{ n: order.length, levelCount, coarsePx, anchorPx, coords },
    bag: Uint8Array.from(order, (tile) => tiles.bag[tile] ?? 0),
    row: Uint32Array.from(order, (tile) => tiles.row[tile] ?? 0),
    level: Uint8Array.from(order, (tile) => magnificationFromLevel(tiles.m[tile] ?? 0, levelCount)),
    finestBag: finest?.bag ?? 0,
    finestLevel: levelCount - 1 - (finest?.m ?? 0),
  };
}

function levelPixel(value: number): number {
  const pixel = Math.round(value);
  if (Math.abs(pixel) < 2 ** 31) return pixel;
  throw new DomainError("GEOMETRY_MISMATCH", `a tile lies at pixel ${pixel} of level 0, beyond 32 bits`);
}

/** `nDuplicates`: tiles that gave way to another one of their cell. */
function reportOf(tiles: GridTiles, order: Uint32Array, nDuplicates: number): Omit<RegionReport, "surrogateLevels"> {
  const slots = slotCount(tiles.levelCount);
  const tileCounts = new Array<number>(tiles.levelCount).fill(0);
  const largestOffsets = new Array<number>(tiles.levelCount).fill(0);
  const cells = new Map<number, number>();
  for (const tile of order) {
    const m = tiles.m[tile] ?? 0;
    tileCounts[m] = (tileCounts[m] ?? 0) + 1;
    largestOffsets[m] = Math.max(largestOffsets[m] ?? 0, tiles.offset[tile] ?? 0);
    const cell = Math.floor((tiles.key[tile] ?? 0) / slots);
    cells.set(cell, (cells.get(cell) ?? 0) + 1);
  }
  const { nUnaligned, nDecimated } = tiles;
  return {
    ...{ tileCounts, largestOffsets, cellCount: cells.size, coarseTilePx: tiles.coarsePx },
    fullCellCount: [...cells.values()].filter((count) => count === slots).length,
    unalignedCount: nUnaligned,
    decimatedCount: nDecimated + nDuplicates,
  };
}
