import { DomainError } from "@parfocal/errors";
import { assertRegionShape, levelSide } from "@parfocal/geometry";
import type { BlockIndex } from "./block-index.ts";
import { tilesOf, withoutPseudo } from "./block-index-of.ts";
import { createPairList } from "./pair-list.ts";
import { sweepSquares } from "./sweep-squares.ts";

/** Which regions of a slide to look at. */
export interface OriginOptions {
  /** Coarse tiles along the side of a region. */
  readonly regionTiles: number;
  /** `grid`: side by side from the anchor, for inference; `every`: from any cell, for training. */
  readonly step: "grid" | "every";
  /** Share of its tiles that every magnification of a region must have, 0 to 1; absent: 0, any tile will do. */
  readonly minPresence?: number;
  /** Magnifications that count (0 = coarsest); absent: all. Those that the slide does not have at all never count. */
  readonly levels?: readonly number[];
  /** Take stand-ins (`TILE_FLAGS.pseudo`) for absent, as a reader does that is told to. */
  readonly skipPseudo?: boolean;
}

/**
 * Cells (I, J) that regions begin at, `[R, 2]` row by row: those whose regions hold enough tiles, and at least one. Beyond the
 * index it holds two bytes for each block and magnification that counts, 4 bytes for each line of cells, and the origins twice.
 *
 * @throws {DomainError} INVALID_ARGUMENT for a shape or a share out of bounds.
 */
export function regionOrigins(whole: BlockIndex, options: OriginOptions): Int32Array {
  const { regionTiles, minPresence = 0, step } = options;
  assertRegionShape({ regionTiles, levelCount: whole.levelCount });
  if (!(minPresence >= 0 && minPresence <= 1)) {
    throw new DomainError("INVALID_ARGUMENT", `minPresence is ${minPresence}, the bounds are 0 and 1`);
  }
  const index = options.skipPseudo === true ? withoutPseudo(whole) : whole;
  const { tileCounts } = index;
  const levels = (options.levels ?? [...tileCounts.keys()]).filter((m) => (tileCounts[m] ?? 0) > 0);
  const needed = levels.map((m) => minPresence * levelSide(m, regionTiles) ** 2);
  const tiles = tilesByBlock(index, levels);
  const found = createPairList();
  const counts = new Int32Array(levels.length);
  sweepSquares(
    index,
    { side: regionTiles, step: step === "grid" ? regionTiles : 1 },
    {
      enter: (block) => addTo(counts, tiles, block, 1),
      leave: (block) => addTo(counts, tiles, block, -1),
      at(line, column) {
        if (isEnough(counts, needed)) found.push(line, column);
      },
    },
  );
  return found.toArray();
}

/** `[B, levels]` tiles of each block; a block has at most 256 of a magnification. */
function tilesByBlock(index: BlockIndex, levels: readonly number[]): Uint16Array {
  const tiles = new Uint16Array(index.blockCount * levels.length);
  for (let block = 0; block < index.blockCount; block++) {
    for (let at = 0; at < levels.length; at++) {
      tiles[block * levels.length + at] = tilesOf(index, block, levels[at] ?? 0);
    }
  }
  return tiles;
}

/** Adds the tiles of a block to the counts of the square, or takes them away. */
function addTo(counts: Int32Array, tiles: Uint16Array, block: number, sign: 1 | -1): void {
  for (let at = 0; at < counts.length; at++) {
    counts[at] = (counts[at] ?? 0) + sign * (tiles[block * counts.length + at] ?? 0);
  }
}

function isEnough(counts: Int32Array, needed: readonly number[]): boolean {
  let most = 0;
  for (let at = 0; at < counts.length; at++) {
    const count = counts[at] ?? 0;
    if (count < (needed[at] ?? 0)) return false;
    most = Math.max(most, count);
  }
  return most > 0;
}
