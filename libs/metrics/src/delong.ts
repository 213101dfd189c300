/**
 * DeLong's nonparametric variance of AUROC and the paired comparison of two scores on the same cases, in O(N log N).
 *
 * Source: DeLong, DeLong & Clarke-Pearson 1988; Sun & Xu 2014 (mid-rank algorithm). Legend: m positives, n negatives.
 */
import { DomainError } from "@parfocal/errors";
import { assertBinaryInput, type BinaryLabels } from "./binary-input.ts";
import type { Interval } from "./interval.ts";
import { twoSidedP, Z_95 } from "./normal-distribution.ts";
import { midRanks } from "./ranking.ts";

/** AUROC with the placement values that its variance is made of. */
export interface DelongComponents {
  readonly auroc: number;
  /** V10 `[m]`: for each positive, in order of appearance, the share of negatives it outscores. */
  readonly positives: Float64Array;
  /** V01 `[n]`: for each negative, the share of positives that outscore it. */
  readonly negatives: Float64Array;
}

/**
 * DeLong's structural components; null when a class is missing.
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `INVALID_ARGUMENT` or `NON_FINITE` for bad input.
 */
export function delongComponents(labels: BinaryLabels, scores: ArrayLike<number>): DelongComponents | null {
  assertBinaryInput(labels, scores);
  const cases = Array.from({ length: labels.length }, (_, i) => i);
  const positiveCases = cases.filter((i) => labels[i] === 1);
  const negativeCases = cases.filter((i) => labels[i] === 0);
  const [m, n] = [positiveCases.length, negativeCases.length];
  if (m === 0 || n === 0) return null;
  const pooled = midRanks(scores);
  const placements = (own: readonly number[], nOther: number): Float64Array => {
    const within = midRanks(own.map((i) => scores[i] ?? Number.NaN));
    return Float64Array.from(own, (i, k) => ((pooled[i] ?? 0) - (within[k] ?? 0)) / nOther);
  };
  const positives = placements(positiveCases, n);
  const negatives = placements(negativeCases, m).map((below) => 1 - below);
  return { auroc: mean(positives), positives, negatives };
}

/** Variance of the AUROC; null when a class has fewer than 2 cases (the variance is unbiased, ddof 1). */
export function delongVariance(components: DelongComponents): number | null {
  return delongCovariance(components, components);
}

/** Covariance of two AUROCs measured on the same cases in the same order; null when a class has fewer than 2 cases. */
export function delongCovariance(a: DelongComponents, b: DelongComponents): number | null {
  if (a.positives.length !== b.positives.length || a.negatives.length !== b.negatives.length) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `components of ${a.positives.length}+${a.negatives.length} and ${b.positives.length}+${b.negatives.length} cases; paired ones must agree`,
    );
  }
  const [m, n] = [a.positives.length, a.negatives.length];
  if (m < 2 || n < 2) return null;
  return covariance(a.positives, b.positives) / m + covariance(a.negatives, b.negatives) / n;
}

/**
 * 95 % interval of the AUROC on the logit scale, which stays inside (0, 1). Null where the logit does not exist (AUROC 0 or
 * 1), where the variance is 0 or undefined, or when a class is missing: use a bootstrap there.
 *
 * @throws {DomainError} as {@link delongComponents}.
 */
export function delongInterval(labels: BinaryLabels, scores: ArrayLike<number>): Interval | null {
  const components = delongComponents(labels, scores);
  const variance = components === null ? null : delongVariance(components);
  if (components === null || variance === null || variance <= 0) return null;
  const { auroc } = components;
  if (auroc <= 0 || auroc >= 1) return null;
  const centre = Math.log(auroc / (1 - auroc));
  const half = (Z_95 * Math.sqrt(variance)) / (auroc * (1 - auroc));
  return { low: logistic(centre - half), high: logistic(centre + half), method: "delong-logit" };
}

/**
 * 95 % interval `auroc +- 1.96 se`. Leaves [0, 1] near the ends, which is why {@link delongInterval} is the default; here to
 * compare with papers that print it.
 */
export function delongWaldInterval(labels: BinaryLabels, scores: ArrayLike<number>): Interval | null {
  const components = delongComponents(labels, scores);
  const variance = components === null ? null : delongVariance(components);
  if (components === null || variance === null) return null;
  const half = Z_95 * Math.sqrt(variance);
  return { low: components.auroc - half, high: components.auroc + half, method: "delong-wald" };
}

/** Outcome of a paired comparison of two AUROCs. */
export interface DelongTest {
  readonly aurocA: number;
  readonly aurocB: number;
  /** `aurocA - aurocB`. */
  readonly difference: number;
  /** Standard error of the difference. */
  readonly standardError: number;
  /** `difference / standardError`; 0 when the two scores place every case alike. */
  readonly z: number;
  /** Two-sided, normal. */
  readonly pValue: number;
}

/**
 * Tests whether two scores of the same cases have different AUROC. Null when a class has fewer than 2 cases, or when the
 * difference has no variance but is not 0.
 *
 * @throws {DomainError} as {@link delongComponents}.
 */
export function delongTest(
  labels: BinaryLabels,
  scoresA: ArrayLike<number>,
  scoresB: ArrayLike<number>,
): DelongTest | null {
  const a = delongComponents(labels, scoresA);
  const b = delongComponents(labels, scoresB);
  if (a === null || b === null) return null;
  const [varianceA, varianceB, shared] = [delongVariance(a), delongVariance(b), delongCovariance(a, b)];
  if (varianceA === null || varianceB === null || shared === null) return null;
  const difference = a.auroc - b.auroc;
  const standardError = Math.sqrt(Math.max(0, varianceA + varianceB - 2 * shared));
  if (standardError === 0 && difference !== 0) return null;
  const z = difference === 0 ? 0 : difference / standardError;
  return { aurocA: a.auroc, aurocB: b.auroc, difference, standardError, z, pValue: twoSidedP(z) };
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function covariance(a: Float64Array, b: Float64Array): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  return a.reduce((sum, value, i) => sum + (value - meanA) * ((b[i] ?? 0) - meanB), 0) / (a.length - 1);
}

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
