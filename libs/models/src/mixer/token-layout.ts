import { levelSide } from "@parfocal/geometry";
import type { RegionRule } from "../model.ts";

// Magnifications count from the coarsest, 0, to the finest.

/** T: tokens of a region, one for each place of a tile in the magnifications that are looked at. */
export function countTokens({ levels, regionTiles }: RegionRule): number {
  return levels.reduce((sum, level) => sum + levelSide(level, regionTiles) ** 2, 0);
}

/** The magnification of every token, `[T]`: those of the coarsest that is looked at come first. */
export function tokenLevels({ levels, regionTiles }: RegionRule): number[] {
  return levels.flatMap((level) => new Array<number>(levelSide(level, regionTiles) ** 2).fill(level));
}
