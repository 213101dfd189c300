import { assertBinaryInput, type BinaryLabels, countPositives } from "./binary-input.ts";
import { rankScores } from "./ranking.ts";

/** One operating point: what the rule "score >= threshold" gives. */
export interface OperatingPoint {
  /** A distinct score of the sample. */
  readonly threshold: number;
  /** Positives at or above the threshold. */
  readonly truePositives: number;
  /** Negatives at or above the threshold. */
  readonly falsePositives: number;
}

/** A point of a ROC curve. The first has threshold `null`: nothing is called positive. */
export interface RocPoint {
  readonly threshold: number | null;
  /** False positive rate, 1 - specificity, in [0, 1]. */
  readonly fpr: number;
  /** True positive rate, sensitivity, in [0, 1]. */
  readonly tpr: number;
}

/** A point of a precision-recall curve. */
export interface PrPoint {
  readonly threshold: number;
  readonly recall: number;
  readonly precision: number;
}

/** The operating points at every distinct score, thresholds descending. O(N log N). */
export function operatingPoints(labels: BinaryLabels, scores: ArrayLike<number>): OperatingPoint[] {
  assertBinaryInput(labels, scores);
  const { order, ends } = rankScores(scores);
  let truePositives = 0;
  let place = 0;
  return Array.from(ends, (end) => {
    for (; place < end; place += 1) truePositives += labels[order[place] ?? 0] ?? 0;
    return { threshold: scores[order[end - 1] ?? 0] ?? Number.NaN, truePositives, falsePositives: end - truePositives };
  });
}

/**
 * The ROC curve from (0, 0) to (1, 1), one point per distinct score, thresholds descending; its trapezoid area is the AUROC.
 * Null when a class is missing.
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `INVALID_ARGUMENT` or `NON_FINITE` for bad input.
 */
export function rocCurve(labels: BinaryLabels, scores: ArrayLike<number>): RocPoint[] | null {
  const points = operatingPoints(labels, scores);
  const nPositives = countPositives(labels);
  const nNegatives = labels.length - nPositives;
  if (nPositives === 0 || nNegatives === 0) return null;
  const reached = points.map(({ threshold, truePositives, falsePositives }) => ({
    threshold,
    fpr: falsePositives / nNegatives,
    tpr: truePositives / nPositives,
  }));
  return [{ threshold: null, fpr: 0, tpr: 0 }, ...reached];
}

/**
 * The precision-recall curve, one point per distinct score, thresholds descending (recall ascending). Null when a class is
 * missing. Draw it as steps: linear interpolation between its points is too optimistic.
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `INVALID_ARGUMENT` or `NON_FINITE` for bad input.
 */
export function prCurve(labels: BinaryLabels, scores: ArrayLike<number>): PrPoint[] | null {
  const points = operatingPoints(labels, scores);
  const nPositives = countPositives(labels);
  if (nPositives === 0 || nPositives === labels.length) return null;
  return points.map(({ threshold, truePositives, falsePositives }) => ({
    threshold,
    recall: truePositives / nPositives,
    precision: truePositives / (truePositives + falsePositives),
  }));
}
