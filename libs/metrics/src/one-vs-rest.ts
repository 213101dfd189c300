import { DomainError } from "@parfocal/errors";
import { countPositives } from "./binary-input.ts";
import { type Ranking, rankScores } from "./ranking.ts";

/** One class seen as a binary problem: its labels and its scores, ranked. */
export interface ClassView {
  readonly labels: Uint8Array;
  readonly scores: Float64Array;
  readonly ranking: Ranking;
}

/** A metric of each class and its means over the classes where it is defined. */
export interface PerClass {
  /** `[K]`; null where the class has no positives or no negatives. */
  readonly perClass: readonly (number | null)[];
  /** Plain mean over the defined classes; null when there is none. */
  readonly macro: number | null;
  /** Mean by prevalence over the defined classes. */
  readonly weighted: number | null;
  /** How many classes the means cover. */
  readonly nAveraged: number;
}

/**
 * Splits a multi-class problem (`labels` `[N]` in 0..K-1, `probabilities` `[N][K]`) into K binary ones.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` for lengths that disagree; `INVALID_ARGUMENT` for a label outside 0..K-1;
 * `NON_FINITE` for a probability.
 */
export function oneVsRest(
  labels: ArrayLike<number>,
  probabilities: readonly ArrayLike<number>[],
  nClasses: number,
): ClassView[] {
  assertClassLabels(labels, nClasses);
  assertRows(probabilities, labels.length, nClasses);
  return Array.from({ length: nClasses }, (_, c) => {
    const scores = Float64Array.from(probabilities, (row) => row[c] ?? Number.NaN);
    return { labels: Uint8Array.from(labels, (label) => Number(label === c)), scores, ranking: rankScores(scores) };
  });
}

/** Applies `metric` to each class view and averages. */
export function perClassMeans(classes: readonly ClassView[], metric: (view: ClassView) => number | null): PerClass {
  const perClass = classes.map(metric);
  const prevalence = classes.map(({ labels }) => countPositives(labels));
  return { perClass, ...meansOfDefined(perClass, prevalence) };
}

/** Plain and weighted mean of the entries that are not null. */
export function meansOfDefined(
  values: readonly (number | null)[],
  weights: ArrayLike<number>,
): Omit<PerClass, "perClass"> {
  let sum = 0;
  let weightedSum = 0;
  let weightSum = 0;
  let nAveraged = 0;
  values.forEach((value, c) => {
    if (value === null) return;
    const weight = weights[c] ?? 0;
    sum += value;
    weightedSum += value * weight;
    weightSum += weight;
    nAveraged += 1;
  });
  return {
    macro: nAveraged === 0 ? null : sum / nAveraged,
    weighted: weightSum === 0 ? null : weightedSum / weightSum,
    nAveraged,
  };
}

/**
 * Throws unless every label is a class index below `nClasses`.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` giving the first that is not.
 */
export function assertClassLabels(labels: ArrayLike<number>, nClasses: number): void {
  for (let i = 0; i < labels.length; i += 1) {
    const label = labels[i] ?? -1;
    if (!Number.isInteger(label) || label < 0 || label >= nClasses) {
      throw new DomainError(
        "INVALID_ARGUMENT",
        `label ${i} is ${label}; it must be an integer in [0, ${nClasses - 1}]`,
      );
    }
  }
}

/**
 * Throws unless there are `nRows` rows of `nColumns` numbers.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` giving both shapes.
 */
export function assertRows(rows: readonly ArrayLike<number>[], nRows: number, nColumns: number): void {
  if (rows.length !== nRows) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `${nRows} labels for ${rows.length} rows of probabilities; they must be as many`,
    );
  }
  const bad = rows.findIndex((row) => row.length !== nColumns);
  if (bad >= 0) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `row ${bad} has ${rows[bad]?.length} probabilities; it must have ${nColumns}`,
    );
  }
}
