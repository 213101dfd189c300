import { createRng } from "@parfocal/metrics";

/** Before calls count, ms. */
export const WARM_UP_MS = 1000;

/** Which arrivals {@link drawArrivals} draws. */
export interface ArrivalsOptions {
  readonly ratePerS: number;
  /** How long calls begin after the warm-up, s. */
  readonly seconds: number;
  /** The same one gives the same moments. */
  readonly seed: number;
}

/**
 * When calls begin whose callers know nothing of each other (a Poisson process), ms from the start, in order. Those of the first
 * {@link WARM_UP_MS} are not to be counted.
 */
export function drawArrivals({ ratePerS, seconds, seed }: ArrivalsOptions): number[] {
  const rng = createRng(BigInt(seed));
  const arrivals: number[] = [];
  const endMs = WARM_UP_MS + 1000 * seconds;
  const gapMs = () => (-1000 * Math.log(1 - rng.nextFloat())) / ratePerS;
  for (let atMs = gapMs(); atMs < endMs; atMs += gapMs()) arrivals.push(atMs);
  return arrivals;
}
