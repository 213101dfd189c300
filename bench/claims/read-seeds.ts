import { MAX_VALUES } from "./mean-interval.ts";

/** The seeds of a list like `1,2,3`: two or more, so that there is an interval. @throws {Error} naming list and bound. */
export function readSeeds(list: string): number[] {
  const seeds = [...new Set(list.split(",").map(Number))];
  const areWhole = seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0);
  if (areWhole && seeds.length >= 2 && seeds.length <= MAX_VALUES) return seeds;
  throw new Error(`--seeds is ${list}; it must be 2 to ${MAX_VALUES} different whole numbers`);
}
