import { DomainError } from "@parfocal/errors";
import { assertFinite } from "./binary-input.ts";
import { type Ranking, rankScores } from "./ranking.ts";

/** Errors and correlations of predicted numbers; null where undefined. */
export interface RegressionMetrics {
  /** Mean absolute error, in the unit of the target. */
  readonly mae: number | null;
  /** Root of the mean squared error, in the unit of the target. */
  readonly rmse: number | null;
  /** Coefficient of determination, 1 - squared error over variance, at most 1; null when the targets do not vary. */
  readonly r2: number | null;
  /** Correlation, in [-1, 1]; null when targets or predictions do not vary. */
  readonly pearson: number | null;
  /** Correlation of mid-ranks. */
  readonly spearman: number | null;
}

/**
 * Metrics of `predicted` `[N]` against `targets` `[N]`.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` or `NON_FINITE` for bad input.
 * Source: the definitions of scikit-learn and scipy; Pearson 1895, Spearman 1904.
 */
export function regressionMetrics(targets: ArrayLike<number>, predicted: ArrayLike<number>): RegressionMetrics {
  return regressionStatistics(targets, predicted)(new Float64Array(targets.length).fill(1));
}

/** {@link regressionMetrics} of samples in which case i occurs `weights[i]` times; what can be, is computed once. */
export function regressionStatistics(
  targets: ArrayLike<number>,
  predicted: ArrayLike<number>,
): (weights: ArrayLike<number>) => RegressionMetrics {
  if (targets.length !== predicted.length) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `${targets.length} targets for ${predicted.length} predictions; they must be as many`,
    );
  }
  assertFinite(targets, "target");
  assertFinite(predicted, "prediction");
  const [targetRanking, predictedRanking] = [rankScores(targets), rankScores(predicted)];
  return (weights) => {
    const moments = weightedMoments(targets, predicted, weights);
    const { absolute, squared, varianceA: variance } = moments;
    const ranks = [targetRanking, predictedRanking].map((ranking) => weightedMidRanks(ranking, weights));
    return {
      mae: absolute,
      rmse: squared === null ? null : Math.sqrt(squared),
      r2: squared === null || variance === 0 ? null : 1 - squared / variance,
      pearson: correlation(moments),
      spearman: correlation(weightedMoments(ranks[0] ?? [], ranks[1] ?? [], weights)),
    };
  };
}

interface Moments {
  readonly absolute: number | null;
  readonly squared: number | null;
  readonly varianceA: number;
  readonly varianceB: number;
  readonly covariance: number;
}

/** Means over the weights; two passes, so that a large mean does not swallow a small variance. */
function weightedMoments(a: ArrayLike<number>, b: ArrayLike<number>, weights: ArrayLike<number>): Moments {
  const meanOf = (valueAt: (i: number) => number): number => {
    let [sum, total] = [0, 0];
    for (let i = 0; i < weights.length; i += 1) {
      sum += (weights[i] ?? 0) * valueAt(i);
      total += weights[i] ?? 0;
    }
    return sum / total;
  };
  const [meanA, meanB] = [meanOf((i) => a[i] ?? 0), meanOf((i) => b[i] ?? 0)];
  const error = (i: number): number => (a[i] ?? 0) - (b[i] ?? 0);
  const [absolute, squared] = [meanOf((i) => Math.abs(error(i))), meanOf((i) => error(i) ** 2)];
  return {
    absolute: Number.isNaN(absolute) ? null : absolute,
    squared: Number.isNaN(squared) ? null : squared,
    varianceA: meanOf((i) => ((a[i] ?? 0) - meanA) ** 2),
    varianceB: meanOf((i) => ((b[i] ?? 0) - meanB) ** 2),
    covariance: meanOf((i) => ((a[i] ?? 0) - meanA) * ((b[i] ?? 0) - meanB)),
  };
}

function correlation({ varianceA, varianceB, covariance }: Moments): number | null {
  const scale = Math.sqrt(varianceA) * Math.sqrt(varianceB);
  return scale > 0 ? Math.max(-1, Math.min(1, covariance / scale)) : null;
}

/** Mid-ranks of the sample in which case i occurs `weights[i]` times; the sign of the order does not matter here. */
function weightedMidRanks({ order, ends }: Ranking, weights: ArrayLike<number>): Float64Array {
  const ranks = new Float64Array(order.length);
  let [place, above] = [0, 0];
  for (const end of ends) {
    const group = order.subarray(place, end);
    const size = group.reduce((sum, i) => sum + (weights[i] ?? 0), 0);
    for (const i of group) ranks[i] = above + (size + 1) / 2;
    above += size;
    place = end;
  }
  return ranks;
}
