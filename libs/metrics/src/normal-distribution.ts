/** Half-width of a two-sided 95 % normal interval, in standard errors: the 0.975 quantile of N(0, 1). */
export const Z_95 = 1.959963984540054;

/** Where the series of erf gives way to the continued fraction of erfc; both hold 1e-11 relative there. */
const SERIES_LIMIT = 3;

/**
 * Two-sided p value of a standard normal statistic, `P(|Z| >= |z|)`, in [0, 1]. About 1e-11 relative down to the
 * smallest doubles. NaN for NaN.
 *
 * Source: DLMF 7.6.2 (confluent series of erf, all terms positive) and 7.9.1 (continued fraction of erfc).
 */
export function twoSidedP(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  return x < SERIES_LIMIT ? 1 - erfBySeries(x) : erfcByFraction(x);
}

function erfBySeries(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; term > sum * Number.EPSILON; n += 1) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

function erfcByFraction(x: number): number {
  // Backwards from a fixed depth: at x >= 3, 60 levels are past convergence in double precision.
  let tail = 0;
  for (let level = 60; level >= 1; level -= 1) tail = level / 2 / (x + tail);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + tail);
}
