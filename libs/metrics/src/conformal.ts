/**
 * Split-conformal prediction: sets of classes, or intervals of numbers, that hold the truth of a new case with a stated
 * probability, whatever the model and the distribution, as long as calibration cases and new ones are exchangeable.
 *
 * Where a patient has several calibration cases, only the least conforming one counts: then the promise is that all slides
 * of a new patient like them are covered at once, and more often than stated for one slide.
 * Source: Vovk, Gammerman & Shafer 2005; Sadinle, Lei & Wasserman 2019 (LAC); Romano, Sesia & Candès 2020 (APS, here without
 * its random last class, so sets are a little larger than need be); Vovk 2012 (class-conditional).
 */
import { DomainError } from "@parfocal/errors";
import { assertFinite } from "./binary-input.ts";
import { assertClassLabels, assertRows } from "./one-vs-rest.ts";

/** How little a class conforms. `lac`: 1 - p, the smallest sets. `aps`: the mass of it and all likelier classes. */
export type ConformalScore = "lac" | "aps";

/** Settings of {@link fitConformalSets}. */
export interface ConformalOptions {
  readonly score: ConformalScore;
  /** Chance that a set misses the truth, in (0, 1): coverage is 1 - alpha. */
  readonly alpha: number;
  /** Whether the promise holds for the cases of each class, not only for all together. */
  readonly isClassConditional: boolean;
}

/** What sets are made by. Plain data: survives JSON. */
export interface ConformalSets extends ConformalOptions {
  /** The greatest score of a class in the set: one for all, or one per class. Null: too few cases, every class is in. */
  readonly limits: readonly (number | null)[];
  /** Patients that each limit rests on. */
  readonly nPatients: readonly number[];
}

/** Cases that the model has not learnt from. */
export interface CalibrationCases {
  /** `[N]`. Never printed. */
  readonly patients: readonly string[];
  /** `[N]`, class index. */
  readonly labels: readonly number[];
  /** `[N][K]`. */
  readonly probabilities: readonly (readonly number[])[];
}

/**
 * Limits of sets of classes from calibration cases.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for an alpha outside (0, 1) or a label out of range; `SHAPE_MISMATCH`.
 */
export function fitConformalSets(cases: CalibrationCases, options: ConformalOptions): ConformalSets {
  const { patients, labels, probabilities } = cases;
  const nClasses = probabilities[0]?.length ?? 0;
  assertRows(probabilities, labels.length, nClasses);
  assertClassLabels(labels, nClasses);
  const scores = probabilities.map((row, i) => classScores(row, options.score)[labels[i] ?? 0] ?? 0);
  const groups = options.isClassConditional
    ? Array.from({ length: nClasses }, (_, c) => rowsWhere(labels, (label) => label === c))
    : [rowsWhere(labels, () => true)];
  const worst = groups.map((rows) => worstOfPatients(rows, patients, scores));
  return {
    ...options,
    limits: worst.map((values) => conformalQuantile(values, options.alpha)),
    nPatients: worst.map((values) => values.length),
  };
}

/** Classes of the prediction set of `row` `[K]`, ascending. May be empty (LAC): no class is likely enough. */
export function conformalSet(row: readonly number[], sets: ConformalSets): number[] {
  const scores = classScores(row, sets.score);
  return scores.flatMap((score, c) => {
    const limit = sets.limits[sets.isClassConditional ? c : 0] ?? null;
    return limit === null || score <= limit ? [c] : [];
  });
}

/**
 * Half-width of intervals around predicted numbers that hold the truth with probability 1 - alpha: the conformal quantile of
 * the absolute errors. Null when there are too few patients: at least `1 / alpha - 1` are needed.
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `NON_FINITE` or `INVALID_ARGUMENT` for bad input.
 */
export function fitConformalHalfWidth(
  patients: readonly string[],
  errors: readonly number[],
  alpha: number,
): { readonly halfWidth: number | null; readonly nPatients: number } {
  if (patients.length !== errors.length) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `${errors.length} errors for ${patients.length} patients; they must be as many`,
    );
  }
  assertFinite(errors, "error");
  const worst = worstOfPatients([...errors.keys()], patients, errors.map(Math.abs));
  return { halfWidth: conformalQuantile(worst, alpha), nPatients: worst.length };
}

/**
 * The `ceil((n + 1)(1 - alpha))`-th smallest of n scores: a new exchangeable score is at most this with probability 1 - alpha
 * or more. Null when n is too small for any score to be.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for an alpha outside (0, 1).
 */
export function conformalQuantile(scores: readonly number[], alpha: number): number | null {
  if (!(alpha > 0 && alpha < 1)) {
    throw new DomainError("INVALID_ARGUMENT", `alpha is ${alpha}; it must lie in (0, 1)`);
  }
  // Less than a part in 10^9 above a whole number is rounding: 10 (1 - 0.1) is 9, not 9 and a bit.
  const rank = Math.ceil((scores.length + 1) * (1 - alpha) - 1e-9);
  return Float64Array.from(scores).sort()[rank - 1] ?? null;
}

function classScores(row: readonly number[], score: ConformalScore): number[] {
  if (score === "lac") return row.map((p) => 1 - p);
  const order = [...row.keys()].sort((a, b) => (row[b] ?? 0) - (row[a] ?? 0) || a - b);
  const scores = new Array<number>(row.length).fill(0);
  let mass = 0;
  for (const c of order) {
    mass += row[c] ?? 0;
    scores[c] = mass;
  }
  return scores;
}

function rowsWhere(labels: readonly number[], isWanted: (label: number) => boolean): number[] {
  return labels.flatMap((label, i) => (isWanted(label) ? [i] : []));
}

function worstOfPatients(rows: readonly number[], patients: readonly string[], scores: readonly number[]): number[] {
  const worst = new Map<string, number>();
  for (const i of rows) {
    const patient = patients[i] ?? "";
    worst.set(patient, Math.max(worst.get(patient) ?? -Infinity, scores[i] ?? 0));
  }
  return [...worst.values()];
}
