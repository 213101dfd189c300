import { DomainError } from "@parfocal/errors";
import { assertClassLabels } from "./one-vs-rest.ts";

/** Counts `[K, K]`: row = truth, column = prediction. */
export type ConfusionMatrix = readonly (readonly number[])[];

/**
 * Confusion matrix of K classes; case i counts `weights[i]` times (once without weights).
 *
 * @throws {DomainError} `SHAPE_MISMATCH` for different lengths; `INVALID_ARGUMENT` for an entry outside 0..K-1.
 */
export function confusionMatrix(
  labels: ArrayLike<number>,
  predicted: ArrayLike<number>,
  nClasses: number,
  weights?: ArrayLike<number>,
): ConfusionMatrix {
  if (labels.length !== predicted.length) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `${labels.length} labels for ${predicted.length} predictions; they must be as many`,
    );
  }
  assertClassLabels(labels, nClasses);
  assertClassLabels(predicted, nClasses);
  const counts = Array.from({ length: nClasses }, () => new Array<number>(nClasses).fill(0));
  for (let i = 0; i < labels.length; i += 1) {
    const row = counts[labels[i] ?? 0] ?? [];
    const column = predicted[i] ?? 0;
    row[column] = (row[column] ?? 0) + (weights?.[i] ?? 1);
  }
  return counts;
}

/** Index of the largest entry, the lowest one on ties: the hard prediction of a row of class probabilities. */
export function argmax(row: ArrayLike<number>): number {
  let best = 0;
  for (let c = 1; c < row.length; c += 1) if ((row[c] ?? -Infinity) > (row[best] ?? -Infinity)) best = c;
  return best;
}

/**
 * The lowest class at which the probabilities, added from the lowest, reach one half: the hard prediction of ordered classes,
 * which makes the expected distance in classes least.
 */
export function medianClass(row: ArrayLike<number>): number {
  let below = 0;
  for (let c = 0; c < row.length - 1; c += 1) {
    below += row[c] ?? 0;
    if (below >= 0.5) return c;
  }
  return row.length - 1;
}

/** Share of cases on the diagonal; null for an empty matrix. */
export function accuracy(confusion: ConfusionMatrix): number | null {
  const total = sum(confusion.map(sum));
  return total === 0 ? null : sum(confusion.map((row, c) => row[c] ?? 0)) / total;
}

/** Recall of each class, TP / (TP + FN); null for a class that does not occur. For two classes: [specificity, sensitivity]. */
export function recalls(confusion: ConfusionMatrix): (number | null)[] {
  return confusion.map((row, c) => ratio(row[c] ?? 0, sum(row)));
}

/** Precision of each class, TP / (TP + FP); null for a class that is never predicted. */
export function precisions(confusion: ConfusionMatrix): (number | null)[] {
  return confusion.map((row, c) => ratio(row[c] ?? 0, columnSum(confusion, c)));
}

/** Mean recall over the classes that occur; null for an empty matrix. */
export function balancedAccuracy(confusion: ConfusionMatrix): number | null {
  const defined = recalls(confusion).filter((recall) => recall !== null);
  return ratio(sum(defined), defined.length);
}

/**
 * Cohen's kappa, (observed - expected agreement) / (1 - expected), in [-1, 1]; null when the expected agreement is 1 or the
 * matrix empty.
 *
 * Source: Cohen 1960, unweighted.
 */
export function cohenKappa(confusion: ConfusionMatrix): number | null {
  const total = sum(confusion.map(sum));
  const observed = accuracy(confusion);
  if (observed === null) return null;
  const expected = sum(confusion.map((row, c) => (sum(row) * columnSum(confusion, c)) / total)) / total;
  return ratio(observed - expected, 1 - expected);
}

/** F1 of each class and its averages. */
export interface F1Scores {
  /** `[K]`: 2TP / (2TP + FP + FN), 0 when the class neither occurs nor is predicted. */
  readonly perClass: readonly number[];
  /** Plain mean over the classes present in truth or predictions. */
  readonly macro: number | null;
  /** Mean by prevalence. */
  readonly weighted: number | null;
  /** From pooled counts; equals accuracy when each case has one class. */
  readonly micro: number | null;
}

/** F1 scores of a confusion matrix. The binary F1 is `perClass[1]`. */
export function f1Scores(confusion: ConfusionMatrix): F1Scores {
  const support = confusion.map(sum);
  const columns = confusion.map((_, c) => columnSum(confusion, c));
  const perClass = confusion.map((row, c) => ratio(2 * (row[c] ?? 0), (support[c] ?? 0) + (columns[c] ?? 0)) ?? 0);
  const present = perClass.filter((_, c) => (support[c] ?? 0) + (columns[c] ?? 0) > 0);
  return {
    perClass,
    macro: ratio(sum(present), present.length),
    weighted: ratio(sum(perClass.map((f1, c) => f1 * (support[c] ?? 0))), sum(support)),
    micro: accuracy(confusion),
  };
}

function columnSum(confusion: ConfusionMatrix, column: number): number {
  return sum(confusion.map((row) => row[column] ?? 0));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function ratio(numerator: number, denominator: number): number | null {
  return denominator === 0 ? null : numerator / denominator;
}
