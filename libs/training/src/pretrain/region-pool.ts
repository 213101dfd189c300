import type { RegionSource } from "@parfocal/bags";
import { readingError } from "./reading-error.ts";

/** The sources of one slide: squares of coarse cells that regions are cropped from. */
export interface SlideSources {
  /** SHA-256 of the region bag. */
  readonly digest: string;
  /** How many there are to draw from. */
  readonly nSources: number;
  /** Reads one, by its number from 0. */
  read(source: number, signal: AbortSignal): Promise<RegionSource>;
}

/** The sources of many slides under one numbering, which reports and errors use: it names no slide. */
export interface RegionPool {
  readonly nRegions: number;
  /** The number of the slide that a source is of, in the order of the pool. */
  slideOf(region: number): number;
  /** SHA-256 of the bag that a source is of. */
  digestOf(region: number): string;
  /**
   * Reads one, by its number in the pool.
   *
   * @throws {DomainError} what the store throws, naming part and number, and in `region` and `bagDigest` number and bag: `NOT_FOUND`
   * when the bag was deleted since it was opened, `PRECONDITION_FAILED` when it was replaced.
   */
  read(region: number, signal: AbortSignal): Promise<RegionSource>;
}

/** The pool of `slides`, one after the other. `part` is what its errors call it. */
export function createRegionPool(slides: readonly SlideSources[], part: string): RegionPool {
  const ends: number[] = [];
  for (const { nSources } of slides) ends.push((ends.at(-1) ?? 0) + nSources);
  const slideOf = (region: number): number => firstAbove(ends, region);
  return {
    nRegions: ends.at(-1) ?? 0,
    slideOf,
    digestOf: (region) => slides[slideOf(region)]?.digest ?? "",
    async read(region, signal) {
      const slide = slideOf(region);
      const sources = slides[slide];
      if (sources === undefined) throw new RangeError(`region ${region} of ${ends.at(-1) ?? 0}`);
      try {
        return await sources.read(region - (ends[slide - 1] ?? 0), signal);
      } catch (error) {
        throw readingError(error, { what: `${part} region ${region} of bag`, digest: sources.digest, region }, signal);
      }
    },
  };
}

/** Index of the first of the ascending `ends` that is greater than `value`. */
function firstAbove(ends: readonly number[], value: number): number {
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ends[middle] ?? 0) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
