import { assertWhole, levelOffset, levelSide, MAX_MAGNIFICATIONS, type RegionShape } from "./region-shape.ts";
import { type TokenPlace, tokenPlaces } from "./token.ts";

/**
 * Slots of a *block*: a coarse tile with everything under it, `(4^L − 1)/3` (21 for three magnifications). They are the
 * level order of a region of one coarse tile: the coarse tile, its 4 children row by row, their 16, …
 *
 * @throws {DomainError} INVALID_ARGUMENT for a number of magnifications out of bounds.
 */
export function slotCount(levelCount: number): number {
  assertWhole("levelCount", levelCount, 1, MAX_MAGNIFICATIONS);
  return levelOffset(levelCount, 1);
}

/** Slot of the tile at (m, i, j) in its block: its place inside its coarse cell. Takes any row and column. */
export function slotIndex({ m, i, j }: TokenPlace): number {
  const mask = 2 ** m - 1;
  return levelOffset(m, 1) + (i & mask) * levelSide(m, 1) + (j & mask);
}

/** Where each token of a region lies in its blocks, both `[N]` in level order. */
export interface BlockOrder {
  /** Block that holds the token: coarse cells of the region row by row, 0 to r² − 1. */
  readonly block: Int32Array;
  /** Its slot there. */
  readonly slot: Int32Array;
}

/**
 * The gather that brings the blocks of a region into level order: token (m, i, j) is slot `slotIndex` of block
 * `(i >> m)·r + (j >> m)`.
 *
 * @throws {DomainError} INVALID_ARGUMENT for a shape out of bounds.
 */
export function blockOrder(shape: RegionShape): BlockOrder {
  const places = tokenPlaces(shape);
  return {
    block: Int32Array.from(places, ({ m, i, j }) => (i >> m) * shape.regionTiles + (j >> m)),
    slot: Int32Array.from(places, slotIndex),
  };
}
