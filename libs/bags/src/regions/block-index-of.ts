import { DomainError } from "@parfocal/errors";
import { levelOffset, magnificationFromLevel, slotCount, slotIndex } from "@parfocal/geometry";
import type { BagMetadata } from "../bag.ts";
import { type BlockIndex, compareCells, type RegionGrid, regionGridOf, slotRank } from "./block-index.ts";
import { TILE_FLAGS } from "./tile-flags.ts";

/** Arrays of a region bag that tell where its tiles lie. */
export interface RegionTiles {
  /** `[N, 2]` (x, y) level-0 pixels. */
  readonly coords: Int32Array;
  /** `[N]`, 0 = finest. */
  readonly level: Uint8Array;
  /** `[N]` {@link TILE_FLAGS}; absent: none is set. */
  readonly flags?: Uint8Array;
  readonly metadata: BagMetadata;
}

/**
 * The index of a region bag from its coordinates, levels and flags. O(N).
 *
 * @throws {DomainError} GEOMETRY_MISMATCH when it is no region bag; CORRUPT when its tiles are not in block order.
 */
export function blockIndexOf({ coords, level, flags, metadata }: RegionTiles): BlockIndex {
  const grid = regionGridOf(metadata);
  const wordCount = wordsPerBlock(grid);
  const cells: number[] = [];
  const present: number[] = [];
  const pseudo: number[] = [];
  let lastSlot = -1;
  for (let row = 0; row < level.length; row++) {
    const { m, i, j } = tileAt(grid, coords, level, row);
    const [line, column, slot] = [i >> m, j >> m, slotIndex({ m, i, j })];
    const order = compareCells(cells.at(-2), cells.at(-1), line, column);
    if (order > 0 || (order === 0 && slot <= lastSlot)) throw outOfOrder(row);
    if (order < 0) {
      cells.push(line, column);
      for (let word = 0; word < wordCount; word++) present.push(0);
      for (let word = 0; word < wordCount; word++) pseudo.push(0);
    }
    const word = present.length - wordCount + (slot >> 5);
    present[word] = ((present[word] ?? 0) | (1 << (slot & 31))) >>> 0;
    const standsIn = (flags?.[row] ?? 0) & TILE_FLAGS.pseudo ? 1 : 0;
    pseudo[word] = ((pseudo[word] ?? 0) | (standsIn << (slot & 31))) >>> 0;
    lastSlot = slot;
  }
  const blocks = { cells: Int32Array.from(cells), present: Uint32Array.from(present) };
  return blockIndexFromBlocks(grid, { ...blocks, pseudo: Uint32Array.from(pseudo) });
}

/** What determines an index: `[B, 2]` cells, `[B, W]` presence and stand-ins, see {@link BlockIndex}. */
export type Blocks = Pick<BlockIndex, "cells" | "present" | "pseudo">;

/** Completes an index. Bits of stand-ins that are all 0 are dropped. */
export function blockIndexFromBlocks(grid: RegionGrid, { cells, present, pseudo }: Blocks): BlockIndex {
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
  const hasPseudo = pseudo?.some((word) => word !== 0) ?? false;
  return { ...partial, tileCounts, ...(hasPseudo && pseudo && { pseudo }) };
}

/** The blocks of an index with their stand-ins taken for absent. Its rows count no longer those of the bag. */
export function withoutPseudo(index: BlockIndex): BlockIndex {
  const { cells, present, pseudo } = index;
  if (pseudo === undefined) return index;
  return blockIndexFromBlocks(index, { cells, present: present.map((word, at) => word & ~(pseudo[at] ?? 0)) });
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
