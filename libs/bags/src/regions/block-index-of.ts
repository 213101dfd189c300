import { DomainError } from "@parfocal/errors";
import { levelOffset, magnificationFromLevel, slotCount, slotIndex } from "@parfocal/geometry";
import type { BagMetadata } from "../bag.ts";
import { type BlockIndex, compareCells, type RegionGrid, regionGridOf, slotRank } from "./block-index.ts";

/** Arrays of a region bag that tell where its tiles lie. */
export interface RegionTiles {
  /** `[N, 2]` (x, y) level-0 pixels. */
  readonly coords: Int32Array;
  /** `[N]`, 0 = finest. */
  readonly level: Uint8Array;
  readonly metadata: BagMetadata;
}

/**
 * The index of a region bag from its coordinates and levels. O(N).
 *
 * @throws {DomainError} GEOMETRY_MISMATCH when it is no region bag; CORRUPT when its tiles are not in block order.
 */
export function blockIndexOf({ coords, level, metadata }: RegionTiles): BlockIndex {
  const grid = regionGridOf(metadata);
  const wordCount = wordsPerBlock(grid);
  const cells: number[] = [];
  const present: number[] = [];
  let lastSlot = -1;
  for (let row = 0; row < level.length; row++) {
    const { m, i, j } = tileAt(grid, coords, level, row);
    const [line, column, slot] = [i >> m, j >> m, slotIndex({ m, i, j })];
    const order = compareCells(cells.at(-2), cells.at(-1), line, column);
    if (order > 0 || (order === 0 && slot <= lastSlot)) throw outOfOrder(row);
    if (order < 0) {
      cells.push(line, column);
      for (let word = 0; word < wordCount; word++) present.push(0);
    }
    const word = present.length - wordCount + (slot >> 5);
    present[word] = ((present[word] ?? 0) | (1 << (slot & 31))) >>> 0;
    lastSlot = slot;
  }
  return blockIndexFromBlocks(grid, Int32Array.from(cells), Uint32Array.from(present));
}

/** Completes an index from its `[B, 2]` cells and `[B, W]` presence, which determine the rest. */
export function blockIndexFromBlocks(grid: RegionGrid, cells: Int32Array, present: Uint32Array): BlockIndex {
  const wordCount = wordsPerBlock(grid);
  const blockCount = cells.length / 2;
  const firstRow = new Uint32Array(blockCount);
  const partial = { ...grid, wordCount, blockCount, cells, present, firstRow, tileCounts: [] };
  const tileCounts = new Array<number>(grid.levelCount).fill(0);
  let row = 0;
  for (let block = 0; block < blockCount; block++) {
    firstRow[block] = row;
    for (let m = 0; m < grid.levelCount; m++) {
      const count = tilesOf(partial, block, m);
      tileCounts[m] = (tileCounts[m] ?? 0) + count;
      row += count;
    }
  }
  return { ...partial, tileCounts };
}

/** Tiles of one magnification in a block. */
export function tilesOf(index: BlockIndex, block: number, m: number): number {
  return slotRank(index, block, levelOffset(m + 1, 1)) - slotRank(index, block, levelOffset(m, 1));
}

function wordsPerBlock({ levelCount }: RegionGrid): number {
  return Math.ceil(slotCount(levelCount) / 32);
}

function tileAt({ levelCount, coarsePx, anchorPx }: RegionGrid, coords: Int32Array, level: Uint8Array, row: number) {
  const m = magnificationFromLevel(level[row] ?? 0, levelCount);
  if (m < 0) throw new DomainError("CORRUPT", `row ${row} has level ${level[row]}, the bound is ${levelCount - 1}`);
  const side = coarsePx / 2 ** m;
  const j = Math.round(((coords[2 * row] ?? 0) - anchorPx[0]) / side);
  const i = Math.round(((coords[2 * row + 1] ?? 0) - anchorPx[1]) / side);
  return { m, i, j };
}

function outOfOrder(row: number): DomainError {
  return new DomainError("CORRUPT", `row ${row} of the region bag breaks the order of its cells and slots`);
}
