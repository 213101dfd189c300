import { DomainError } from "@parfocal/errors";
import { MAX_MAGNIFICATIONS } from "@parfocal/geometry";

/** Share by which a bag's resolution may miss the level that it is: scanners differ by a few per cent, levels by a factor of 2. */
const NAME_TOLERANCE = 0.1;

/** Share by which two named levels may miss a factor of 2. */
const HALVING_TOLERANCE = 0.01;

/**
 * Checks the named levels of a region bag: 1 to 5 resolutions in um per pixel, coarsest first, each half the one before, none
 * fewer than the bags of a slide.
 *
 * @throws {DomainError} INVALID_ARGUMENT naming field, value and bound.
 */
export function assertNamedLevels(levelMpps: readonly number[], bagCount: number, field = "levelMpps"): void {
  const fail = (what: string, value: number, bound: string) => {
    const details = { field, value: `${value}`, bound };
    return new DomainError("INVALID_ARGUMENT", `${what} is ${value}; it is ${bound}`, { details });
  };
  const nLevels = levelMpps.length;
  if (nLevels < bagCount || nLevels > MAX_MAGNIFICATIONS) {
    throw fail(`the number of ${field}`, nLevels, `${bagCount} to ${MAX_MAGNIFICATIONS}`);
  }
  for (const [at, mpp] of levelMpps.entries()) {
    const before = levelMpps[at - 1];
    if (!(Number.isFinite(mpp) && mpp > 0)) throw fail(`${field}[${at}]`, mpp, "finite and above 0");
    if (before === undefined || Math.abs(before / mpp / 2 - 1) <= HALVING_TOLERANCE) continue;
    throw fail(`${field}[${at}]`, mpp, `half the one before (${before / 2})`);
  }
}

/** What is known of the resolution of a bag's tiles. */
export interface BagResolution {
  /** Index of the bag, for messages. */
  readonly bag: number;
  /** um per pixel as it was encoded: measured where level 0's resolution is known, else what the file says. */
  readonly mpp: number | undefined;
}

/**
 * The named level that a bag is: the nearest one.
 *
 * @throws {DomainError} GEOMETRY_MISMATCH when its resolution is not known, or lies more than 10 % from every level.
 */
export function namedLevelOf({ bag, mpp }: BagResolution, levelMpps: readonly number[]): number {
  if (mpp === undefined) {
    const problem = `the resolution of bag ${bag} is not known, so nobody can tell which of the named levels it is`;
    throw new DomainError("GEOMETRY_MISMATCH", `${problem}: give mpp when importing it`);
  }
  const level = levelMpps.findIndex((named) => Math.abs(mpp / named - 1) <= NAME_TOLERANCE);
  if (level >= 0) return level;
  const levels = `none of the named levels (${levelMpps.join(", ")}) is within ${NAME_TOLERANCE * 100} %`;
  throw new DomainError("GEOMETRY_MISMATCH", `bag ${bag} has ${Number(mpp.toPrecision(5))} um per pixel: ${levels}`);
}
