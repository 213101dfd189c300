import { inferStride } from "@parfocal/geometry";
import type { Bag } from "../bag.ts";

/** What the corners of a bag's tiles tell. */
export interface TilePlaces {
  /** Distance between neighbouring tiles in the pixels that the coordinates count; absent where the bag states one, or tells none. */
  readonly stridePx?: number;
  /** Tiles that lie on the corner of an earlier one of their magnification; absent without any. */
  readonly sharedTiles?: number;
  /** Sentences for people. */
  readonly notes: readonly string[];
}

/**
 * What the corners of a bag's tiles tell: the stride that models will read the bag by where it states none, and tiles on one place,
 * all of which the bag keeps.
 */
export function tilePlaces({ coords, level, metadata }: Pick<Bag, "coords" | "level" | "metadata">): TilePlaces {
  if (coords === undefined) return { notes: [] };
  const nTiles = coords.length / 2;
  const nPlaces = countPlaces(coords, level);
  // Tiles of one place are no distance apart, and levels lie on grids of their own.
  const isTold = metadata.level0StridePx !== undefined || nPlaces < 2 || level !== undefined;
  const stridePx = isTold ? undefined : inferStride(coords);
  const nShared = nTiles - nPlaces;
  return {
    ...(stridePx !== undefined && { stridePx }),
    ...(nShared > 0 && { sharedTiles: nShared }),
    notes: [...(stridePx === undefined ? [] : [strideNote(stridePx)]), ...(nShared > 0 ? [sharedNote(nShared)] : [])],
  };
}

/** Different corners, counted apart for each magnification. */
function countPlaces(coords: Int32Array, level: Uint8Array | undefined): number {
  // A corner is one number of 64 bits. Copied, as a view of these must begin at a multiple of 8 bytes.
  const corners = new BigInt64Array(coords.slice().buffer);
  if (level === undefined) return countDifferent(corners);
  const levels = [...new Set(level)];
  return levels.reduce((sum, each) => sum + countDifferent(corners.filter((_, tile) => level[tile] === each)), 0);
}

/** Different numbers of `values`, which are sorted. */
function countDifferent(values: BigInt64Array): number {
  values.sort();
  let count = 0;
  for (const [i, value] of values.entries()) if (i === 0 || value !== values[i - 1]) count += 1;
  return count;
}

function strideNote(stridePx: number): string {
  return `the stride of the tiles is not stated; by their coordinates it is ${stridePx} px`;
}

function sharedNote(nShared: number): string {
  return `${nShared === 1 ? "1 tile lies" : `${nShared} tiles lie`} where an earlier one does; the bag keeps all`;
}
