import { DomainError } from "@parfocal/errors";
import { MAX_MAGNIFICATIONS } from "@parfocal/geometry";
import type { BagMetadata } from "../bag.ts";

// Legend: B blocks (coarse cells that hold a tile), L magnifications, W words of a block's presence.

/** The grid that a region bag's tiles lie on. */
export interface RegionGrid {
  readonly levelCount: number;
  /** Side of a coarse cell, level-0 pixels. */
  readonly coarsePx: number;
  /** Corner (x, y) of cell (0, 0), level-0 pixels. */
  readonly anchorPx: readonly [number, number];
}

/** Which tiles of a region bag are where: 12 bytes per block and 4 more per 32 slots, whatever the width of the features. */
export interface BlockIndex extends RegionGrid {
  readonly blockCount: number;
  /** `[B, 2]` row I and column J of each block's cell, rising row by row. */
  readonly cells: Int32Array;
  /** `[B]` row of the bag that each block's tiles begin at. */
  readonly firstRow: Uint32Array;
  /** `[B, W]`, W = ⌈slots/32⌉: bit s of a block is set when the bag holds the tile of slot s. */
  readonly present: Uint32Array;
  /** `[B, W]`: bit s is set when the tile of slot s is a stand-in (`TILE_FLAGS.pseudo`); absent when none is. */
  readonly pseudo?: Uint32Array;
  /** W. */
  readonly wordCount: number;
  /** `[L]` tiles of each magnification, coarsest first. */
  readonly tileCounts: readonly number[];
}

/** The grid in a bag's metadata. @throws {DomainError} GEOMETRY_MISMATCH naming what a region bag has and this one lacks. */
export function regionGridOf({ levelCount, level0StridePx, anchorPx }: BagMetadata): RegionGrid {
  if (levelCount === undefined || level0StridePx === undefined || anchorPx === undefined) {
    const lacks = levelCount === undefined ? "level_count" : anchorPx === undefined ? "anchor_px" : "level0_stride_px";
    throw new DomainError("GEOMETRY_MISMATCH", `this is no region bag (it has no ${lacks}): BuildRegions makes one`);
  }
  if (!Number.isInteger(levelCount) || levelCount > MAX_MAGNIFICATIONS) {
    const bounds = `the bounds are 1 and ${MAX_MAGNIFICATIONS}`;
    throw new DomainError("CORRUPT", `the region bag has ${levelCount} magnifications, ${bounds}`);
  }
  return { levelCount, coarsePx: level0StridePx, anchorPx };
}

/** Block of cell (line, column), or −1. O(log B). */
export function findBlock({ cells, blockCount }: BlockIndex, line: number, column: number): number {
  let [low, high] = [0, blockCount - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const order = compareCells(cells[2 * middle], cells[2 * middle + 1], line, column);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** Tiles of a block in slots below `slot`: `firstRow + rank` is the row of a slot that is present. */
export function slotRank({ present, wordCount }: BlockIndex, block: number, slot: number): number {
  const first = block * wordCount;
  let rank = 0;
  for (let word = 0; word < slot >> 5; word++) rank += countBits(present[first + word] ?? 0);
  return rank + countBits((present[first + (slot >> 5)] ?? 0) & ((1 << (slot & 31)) - 1));
}

/** Whether the bag holds the tile of a slot. */
export function hasSlot({ present, wordCount }: BlockIndex, block: number, slot: number): boolean {
  return ((present[block * wordCount + (slot >> 5)] ?? 0) & (1 << (slot & 31))) !== 0;
}

/** Whether the tile of a slot that is present is a stand-in. */
export function isPseudo({ pseudo, wordCount }: BlockIndex, block: number, slot: number): boolean {
  return ((pseudo?.[block * wordCount + (slot >> 5)] ?? 0) & (1 << (slot & 31))) !== 0;
}

/** Bits that are set in a 32-bit word. Source: Warren, Hacker's Delight, §5-1. */
function countBits(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Below 0 when the first cell comes first, 0 for the same; a cell that is not there comes before all. */
export function compareCells(line = -Infinity, column = -Infinity, otherLine: number, otherColumn: number): number {
  return line - otherLine || column - otherColumn;
}
