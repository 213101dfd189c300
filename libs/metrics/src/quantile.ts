import { DomainError } from "@parfocal/errors";

/**
 * The `fraction` quantile of `sorted` (ascending) by linear interpolation between order statistics.
 *
 * Source: Hyndman & Fan 1996, type 7 (the default of R and numpy).
 *
 * @throws {DomainError} `INVALID_ARGUMENT` when `sorted` is empty or `fraction` lies outside [0, 1].
 */
export function quantileSorted(sorted: ArrayLike<number>, fraction: number): number {
  if (sorted.length === 0) throw new DomainError("INVALID_ARGUMENT", "a quantile of 0 values; at least 1 is needed");
  if (!(fraction >= 0 && fraction <= 1)) {
    throw new DomainError("INVALID_ARGUMENT", `quantile fraction is ${fraction}; it must lie in [0, 1]`);
  }
  const position = fraction * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below] ?? Number.NaN;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? Number.NaN;
  return low + (high - low) * (position - below);
}
