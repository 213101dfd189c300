/** Mean of some values with its 95 % interval. */
export interface MeanInterval {
  readonly mean: number;
  readonly lower: number;
  readonly upper: number;
}

/** 0.975 quantiles of Student's t by degrees of freedom, from 1. */
const T_975 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262] as const;

/** Most values that {@link meanInterval} knows a quantile for. */
export const MAX_VALUES = T_975.length + 1;

/**
 * Mean and 95 % t interval of values of independent seeds. It says how far the mean over other seeds may lie, not how sure a single
 * value is. 2 to 10 values.
 */
export function meanInterval(values: readonly number[]): MeanInterval {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const half = (T_975[n - 2] ?? Number.NaN) * Math.sqrt(variance / n);
  return { mean, lower: mean - half, upper: mean + half };
}

/** {@link meanInterval} of AUROCs, cut to [0, 1]. */
export function aurocInterval(values: readonly number[]): MeanInterval {
  const { mean, lower, upper } = meanInterval(values);
  return { mean, lower: Math.max(0, lower), upper: Math.min(1, upper) };
}
