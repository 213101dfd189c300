import { DomainError } from "@parfocal/errors";
import { Z_95 } from "./normal-distribution.ts";

/** How a 95 % interval was obtained. */
export type IntervalMethod = "delong-logit" | "delong-wald" | "wilson" | "patient-bootstrap";

/** A 95 % confidence interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
  readonly method: IntervalMethod;
}

/** A point estimate from the full sample, with its 95 % interval. `value` null: undefined on these data. */
export interface Estimate {
  readonly value: number | null;
  /** Null when the data cannot carry one (one case, a class that resamples keep missing). */
  readonly interval: Interval | null;
}

/**
 * Wilson score interval (95 %) of `successes` of `trials` independent trials; null for 0 trials. Stays within [0, 1] and
 * does not collapse at 0 or 1, unlike the Wald interval.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` unless 0 <= successes <= trials, both integers.
 * Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
 */
export function wilsonInterval(successes: number, trials: number): Interval | null {
  const areCounts = Number.isInteger(successes) && Number.isInteger(trials) && successes >= 0 && successes <= trials;
  if (!areCounts) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `${successes} successes of ${trials} trials; both must be counts, 0 <= successes <= trials`,
    );
  }
  if (trials === 0) return null;
  const p = successes / trials;
  const z2 = Z_95 * Z_95;
  const scale = 1 / (1 + z2 / trials);
  const centre = scale * (p + z2 / (2 * trials));
  const half = scale * Z_95 * Math.sqrt((p * (1 - p)) / trials + z2 / (4 * trials * trials));
  // At the ends the bound is exactly 0 or 1; rounding must not move it.
  return {
    low: successes === 0 ? 0 : centre - half,
    high: successes === trials ? 1 : centre + half,
    method: "wilson",
  };
}
