import { DomainError } from "@parfocal/errors";
import { assertFinite } from "./binary-input.ts";
import { argmax } from "./confusion.ts";
import { assertClassLabels, assertRows } from "./one-vs-rest.ts";

/** Probabilities are clipped this far from 0 and 1 before a logarithm, so one certain mistake costs 34.5, not infinity. */
const LOG_CLIP = 1e-15;

/** Bins of a reliability diagram unless told otherwise: the customary number since Guo et al. 2017 is 15, of papers on small cohorts 10. */
export const DEFAULT_CALIBRATION_BINS = 10;

/** One bin of a reliability diagram. */
export interface CalibrationBin {
  /** The bin holds confidences in [low, high), the last one also 1. */
  readonly low: number;
  readonly high: number;
  readonly n: number;
  /** Mean predicted probability; null for an empty bin. */
  readonly meanPredicted: number | null;
  /** Share of cases that came true; null for an empty bin. */
  readonly observed: number | null;
}

/**
 * Brier score: mean squared error of the probability of the positive class, in [0, 1]. Null for no cases.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` or `INVALID_ARGUMENT` for bad input.
 * Source: Brier 1950. Differs: the one-column form for two classes, half of Brier's sum over both.
 */
export function brierScore(labels: ArrayLike<number>, probabilities: ArrayLike<number>): number | null {
  assertProbabilities(labels, probabilities);
  return meanOf(labels.length, (i) => ((probabilities[i] ?? 0) - (labels[i] ?? 0)) ** 2);
}

/**
 * Multi-class Brier score: mean over cases of the squared distance between the row of probabilities and the one-hot truth, in
 * [0, 2]. Null for no cases.
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `INVALID_ARGUMENT` or `NON_FINITE` for bad input.
 */
export function multiclassBrierScore(
  labels: ArrayLike<number>,
  probabilities: readonly ArrayLike<number>[],
  nClasses: number,
): number | null {
  assertClassLabels(labels, nClasses);
  assertRows(probabilities, labels.length, nClasses);
  return meanOf(labels.length, (i) => {
    const row = Array.from(probabilities[i] ?? []);
    return row.reduce((sum, p, c) => sum + (p - Number(c === labels[i])) ** 2, 0);
  });
}

/**
 * Mean negative log-likelihood (nats) of the true outcome; probabilities are clipped to [1e-15, 1 - 1e-15]. Null for no cases.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` or `INVALID_ARGUMENT` for bad input.
 */
export function logLoss(labels: ArrayLike<number>, probabilities: ArrayLike<number>): number | null {
  assertProbabilities(labels, probabilities);
  return meanOf(labels.length, (i) => {
    const p = probabilities[i] ?? 0;
    return -Math.log(clip(labels[i] === 1 ? p : 1 - p));
  });
}

/**
 * Multi-class {@link logLoss}: of the probability given to the true class.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` or `INVALID_ARGUMENT` for bad input.
 */
export function multiclassLogLoss(
  labels: ArrayLike<number>,
  probabilities: readonly ArrayLike<number>[],
  nClasses: number,
): number | null {
  assertClassLabels(labels, nClasses);
  assertRows(probabilities, labels.length, nClasses);
  return meanOf(labels.length, (i) => -Math.log(clip(probabilities[i]?.[labels[i] ?? 0] ?? 0)));
}

/**
 * Reliability diagram: `nBins` bins of equal width over [0, 1].
 *
 * @throws {DomainError} `SHAPE_MISMATCH` or `INVALID_ARGUMENT` for bad input or `nBins` below 1.
 */
export function calibrationBins(
  labels: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  nBins: number = DEFAULT_CALIBRATION_BINS,
): CalibrationBin[] {
  assertProbabilities(labels, probabilities);
  if (!Number.isInteger(nBins) || nBins < 1) {
    throw new DomainError("INVALID_ARGUMENT", `there are ${nBins} calibration bins; there must be at least 1`);
  }
  const sums = Array.from({ length: nBins }, () => ({ n: 0, predicted: 0, observed: 0 }));
  for (let i = 0; i < labels.length; i += 1) {
    const p = probabilities[i] ?? 0;
    const bin = sums[Math.min(nBins - 1, Math.floor(p * nBins))];
    if (bin === undefined) continue;
    bin.n += 1;
    bin.predicted += p;
    bin.observed += labels[i] ?? 0;
  }
  return sums.map(({ n, predicted, observed }, b) => ({
    low: b / nBins,
    high: (b + 1) / nBins,
    n,
    meanPredicted: n === 0 ? null : predicted / n,
    observed: n === 0 ? null : observed / n,
  }));
}

/**
 * Expected calibration error: mean over cases of |mean predicted - observed| of their bin, in [0, 1]. Null for no cases.
 *
 * Source: Naeini et al. 2015, equal-width bins.
 */
export function expectedCalibrationError(bins: readonly CalibrationBin[]): number | null {
  const total = bins.reduce((sum, bin) => sum + bin.n, 0);
  if (total === 0) return null;
  return bins.reduce((sum, bin) => sum + (bin.n / total) * Math.abs((bin.meanPredicted ?? 0) - (bin.observed ?? 0)), 0);
}

/**
 * Reliability diagram of a multi-class model: confidence of the predicted class against whether it was right.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` or `INVALID_ARGUMENT` for bad input.
 * Source: Guo et al. 2017 (top-label calibration).
 */
export function topLabelCalibrationBins(
  labels: ArrayLike<number>,
  probabilities: readonly ArrayLike<number>[],
  nBins: number = DEFAULT_CALIBRATION_BINS,
): CalibrationBin[] {
  const predicted = probabilities.map(argmax);
  const isRight = predicted.map((c, i) => Number(c === labels[i]));
  const confidence = probabilities.map((row, i) => row[predicted[i] ?? 0] ?? Number.NaN);
  return calibrationBins(isRight, confidence, nBins);
}

function assertProbabilities(labels: ArrayLike<number>, probabilities: ArrayLike<number>): void {
  if (labels.length !== probabilities.length) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `${labels.length} labels for ${probabilities.length} probabilities; they must be as many`,
    );
  }
  assertClassLabels(labels, 2);
  assertFinite(probabilities, "probability");
  for (let i = 0; i < probabilities.length; i += 1) {
    const p = probabilities[i] ?? Number.NaN;
    if (p < 0 || p > 1) throw new DomainError("INVALID_ARGUMENT", `probability ${i} is ${p}; it must lie in [0, 1]`);
  }
}

function clip(p: number): number {
  return Math.min(1 - LOG_CLIP, Math.max(LOG_CLIP, p));
}

function meanOf(n: number, valueAt: (i: number) => number): number | null {
  if (n === 0) return null;
  let sum = 0;
  for (let i = 0; i < n; i += 1) sum += valueAt(i);
  return sum / n;
}
