import { DomainError } from "@parfocal/errors";
import { MAX_MAGNIFICATIONS } from "@parfocal/geometry";
import { assertNamedLevels } from "./named-levels.ts";

/** How the bags of a slide's magnifications become one region bag. */
export interface RegionOptions {
  /** Magnifications L, 1 to 5, each twice the one before; absent: as many as are named, else as there are bags. */
  readonly levelCount?: number;
  /**
   * Their resolutions in um per pixel, coarsest first, each half the one before: a slide may then lack any of them, the coarsest
   * and the finest too. Absent or empty: the bags' own, from their coarsest to their finest.
   */
  readonly levelMpps?: readonly number[];
  /** Largest distance of a tile from its cell, in tiles, 0 to 0.5; absent: 0.1. */
  readonly maxOffset?: number;
  /** Largest relative error of the ratio between two magnifications, 0 to 0.25; absent: 0.01. */
  readonly ratioTolerance?: number;
  /** Match tiles that lie off the grid by the cell of their centre instead of refusing the slide. */
  readonly matchByCentre?: boolean;
  /** Thin out bags whose tiles overlap to one phase of their grid instead of refusing the slide. */
  readonly decimateOverlap?: boolean;
  /**
   * Fill magnifications that the slide has no bag of with stand-ins: each the mean of its four children where all four are there,
   * flagged `TILE_FLAGS.pseudo`. Needs `levelMpps` or `levelCount`, which say what a slide may lack. The finest one cannot be made up.
   */
  readonly surrogateLevels?: boolean;
}

/** {@link RegionOptions} with nothing left open. */
export type ResolvedRegionOptions = Required<Omit<RegionOptions, "surrogateLevels">> & {
  /** Absent where there is nothing to make up: such a build is the same, by the same name, whether it was asked for or not. */
  readonly surrogateLevels?: true;
};

/**
 * The options of a build of `bagCount` bags, defaults filled in.
 *
 * @throws {DomainError} INVALID_ARGUMENT with the value and the bound.
 */
export function resolveRegionOptions(options: RegionOptions, bagCount: number): ResolvedRegionOptions {
  assertBetween("the number of bags", bagCount, 1, MAX_MAGNIFICATIONS);
  const { levelMpps = [], maxOffset = 0.1, ratioTolerance = 0.01 } = options;
  if (levelMpps.length > 0) assertNamedLevels(levelMpps, bagCount);
  const { levelCount = levelMpps.length > 0 ? levelMpps.length : bagCount } = options;
  if (!Number.isInteger(levelCount)) throw outOfBounds("levelCount", levelCount, bagCount, MAX_MAGNIFICATIONS);
  assertBetween("levelCount", levelCount, bagCount, MAX_MAGNIFICATIONS);
  if (levelMpps.length > 0) assertBetween("levelCount", levelCount, levelMpps.length, levelMpps.length);
  assertBetween("maxOffset", maxOffset, 0, 0.5);
  assertBetween("ratioTolerance", ratioTolerance, 0, 0.25);
  const { matchByCentre = false, decimateOverlap = false, surrogateLevels = false } = options;
  if (surrogateLevels) assertLevelsAreNamed(options);
  const resolved = { levelCount, levelMpps, maxOffset, ratioTolerance, matchByCentre, decimateOverlap };
  return surrogateLevels && bagCount < levelCount ? { ...resolved, surrogateLevels } : resolved;
}

/** Without them a slide has the magnifications of its bags, and lacks none. */
function assertLevelsAreNamed({ levelCount, levelMpps = [] }: RegionOptions): void {
  if (levelCount !== undefined || levelMpps.length > 0) return;
  const message = "surrogateLevels needs levelMpps or levelCount: they say which magnifications a slide may lack";
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "surrogateLevels" } });
}

function assertBetween(name: string, value: number, min: number, max: number): void {
  if (!(value >= min && value <= max)) throw outOfBounds(name, value, min, max);
}

function outOfBounds(name: string, value: number, min: number, max: number): DomainError {
  return new DomainError("INVALID_ARGUMENT", `${name} is ${value}, the bounds are ${min} and ${max}`);
}
