import { DomainError } from "@parfocal/errors";
import { assertRegionShape, levelSide } from "@parfocal/geometry";
import type { BlockIndex } from "./block-index.ts";
import { tilesOf } from "./block-index-of.ts";

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
}

/**
 * Cells (I, J) that regions begin at, `[R, 2]` row by row: those whose regions hold enough tiles, and at least one.
 *
 * @throws {DomainError} INVALID_ARGUMENT for a shape or a share out of bounds.
 */
export function regionOrigins(index: BlockIndex, options: OriginOptions): Int32Array {
  const { regionTiles, minPresence = 0 } = options;
  const { levelCount, tileCounts } = index;
  assertRegionShape({ regionTiles, levelCount });
  if (!(minPresence >= 0 && minPresence <= 1)) {
    throw new DomainError("INVALID_ARGUMENT", `minPresence is ${minPresence}, the bounds are 0 and 1`);
  }
  const levels = (options.levels ?? [...tileCounts.keys()]).filter((m) => (tileCounts[m] ?? 0) > 0);
  const needed = levels.map((m) => Math.max(minPresence * levelSide(m, regionTiles) ** 2, 0));
  const { keys, counts, cellOf } = countTiles(index, levels, options);
  const accepted = [...keys.entries()].filter(([, at]) => {
    const own = levels.map((_, level) => counts[at * levels.length + level] ?? 0);
    return own.some((count) => count > 0) && own.every((count, level) => count >= (needed[level] ?? 0));
  });
  accepted.sort(([a], [b]) => a - b);
  return Int32Array.from(accepted.flatMap(([key]) => cellOf(key)));
}

interface TileCounts {
  /** Place in `counts` by key; keys rise row by row. */
  readonly keys: ReadonlyMap<number, number>;
  /** `[R, levels]`. */
  readonly counts: readonly number[];
  readonly cellOf: (key: number) => readonly [number, number];
}

/** Tiles of every magnification in every region that holds a block. */
function countTiles(index: BlockIndex, levels: readonly number[], { regionTiles, step }: OriginOptions): TileCounts {
  const { cells, blockCount } = index;
  const nColumns = cells.reduce((most, cell, at) => (at % 2 === 1 ? Math.max(most, cell) : most), 0) + 2 * regionTiles;
  const keys = new Map<number, number>();
  const counts: number[] = [];
  const own = new Array<number>(levels.length);
  for (let block = 0; block < blockCount; block++) {
    for (const [at, m] of levels.entries()) own[at] = tilesOf(index, block, m);
    for (const [line, column] of originsOver(cells[2 * block] ?? 0, cells[2 * block + 1] ?? 0, regionTiles, step)) {
      // Origins begin up to r − 1 cells before the first one.
      const key = (line + regionTiles) * nColumns + column + regionTiles;
      const place = keys.get(key) ?? keys.size;
      keys.set(key, place);
      for (const [at, count] of own.entries()) {
        counts[place * own.length + at] = (counts[place * own.length + at] ?? 0) + count;
      }
    }
  }
  const cellOf = (key: number) => [Math.floor(key / nColumns) - regionTiles, (key % nColumns) - regionTiles] as const;
  return { keys, counts, cellOf };
}

/** Cells that regions over a cell begin at. */
function* originsOver(
  line: number,
  column: number,
  regionTiles: number,
  step: OriginOptions["step"],
): Generator<readonly [number, number]> {
  if (step === "grid") {
    yield [line - (line % regionTiles), column - (column % regionTiles)];
    return;
  }
  for (let a = 0; a < regionTiles; a++) for (let b = 0; b < regionTiles; b++) yield [line - a, column - b];
}
