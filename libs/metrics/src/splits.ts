import { DomainError } from "@parfocal/errors";
import { assertNoLeakage } from "./leakage.ts";
import { createRng, type Rng } from "./rng.ts";
import { PARTS, type Part, type RowLabel, type Split } from "./split.ts";
import type { Divider } from "./splits-divider.ts";
import { createLabelDivider, isMultilabel } from "./splits-iterative.ts";
import { createStrataDivider } from "./splits-strata.ts";

/** Shares of patients, each in [0, 1], summing to 1. */
export type SplitFractions = Readonly<Record<Part, number>>;

/** What {@link splitPatients} divides. */
export interface SplitOptions {
  /** Patient of each row (slide), `[N]`. To keep whole sites together, pass the site instead. */
  readonly patients: readonly string[];
  /** Truth of each row, `[N]`: class index, or for multi-label a vector of 0, 1 or null; null = unlabelled. */
  readonly labels: readonly RowLabel[];
  /** One holdout split, or `nFolds` of them in which each patient is tested once. */
  readonly plan:
    | { readonly kind: "holdout"; readonly fractions: SplitFractions }
    | {
        readonly kind: "folds";
        /** At least 2, at most the number of patients. */
        readonly nFolds: number;
        /** Share of each fold's training patients that validates, in [0, 1). Default 0: no validation part. */
        readonly validationFraction?: number;
      };
  /** Unsigned 64-bit. */
  readonly seed: bigint;
}

/**
 * Divides rows by patient, stratified by label: no patient is ever in two parts. Returns one split for `holdout`, `nFolds`
 * for `folds`. Depends on the set of patients and their labels, not on the order of the rows.
 *
 * One label per row: a stratum is the set of labels a patient has. Folds: counts per stratum, and in total, differ by at most 1
 * between folds. Holdout: a part holds its share of each stratum to less than 1 patient, except that a stratum with a patient for
 * each part puts at least one into each, so that rare classes can be evaluated.
 *
 * Multi-label: patients have the labels that hold for any of their rows, and each label's positives are spread evenly by
 * iterative stratification, since sets of labels may be as many as patients. Folds of independent labels mostly differ by at most
 * 1 positive; sizes of parts are their shares, those of folds nearly equal.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` when labels and patients differ in number; `INVALID_ARGUMENT` for fractions that do
 * not sum to 1 or a fold count out of range; `PRECONDITION_FAILED` when a part that should hold patients stays empty.
 */
export function splitPatients(options: SplitOptions): readonly Split[] {
  const { patients, labels, plan } = options;
  if (patients.length !== labels.length) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `${labels.length} labels for ${patients.length} rows; they must be as many`,
    );
  }
  const rng = createRng(options.seed).fork("split patients");
  const divider = isMultilabel(labels) ? createLabelDivider(patients, labels) : createStrataDivider(patients, labels);
  const partOfPatient =
    plan.kind === "holdout"
      ? [holdout(divider, new Set(divider.patients), plan.fractions, rng)]
      : folds(divider, plan.nFolds, plan.validationFraction ?? 0, rng);
  return partOfPatient.map((partOf) => {
    const split = splitOfRows(patients, partOf);
    assertNoLeakage(patients, split);
    return split;
  });
}

type PartOfPatient = ReadonlyMap<string, Part>;

function holdout(divider: Divider, members: ReadonlySet<string>, fractions: SplitFractions, rng: Rng): PartOfPatient {
  const shares = PARTS.map((part) => fractions[part]);
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (shares.some((share) => !(share >= 0 && share <= 1)) || Math.abs(total - 1) > 1e-9) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `fractions are ${shares.join(", ")}; each must lie in [0, 1] and they must sum to 1`,
    );
  }
  const binOf = divider.byShares(members, shares, rng);
  const partOf = new Map([...binOf].map(([patient, bin]) => [patient, PARTS[bin] ?? "train"]));
  assertFilled(shares, [...partOf.values()]);
  return partOf;
}

function folds(divider: Divider, nFolds: number, validationFraction: number, rng: Rng): PartOfPatient[] {
  const { patients } = divider;
  assertFolds(nFolds, patients.length, validationFraction);
  const foldOf = divider.evenly(nFolds, rng);
  const shares = { train: 1 - validationFraction, validation: validationFraction, test: 0 };
  return Array.from({ length: nFolds }, (_, fold) => {
    const rest = new Set(patients.filter((patient) => foldOf.get(patient) !== fold));
    const inner = holdout(divider, rest, shares, rng.fork(`fold ${fold}`));
    return new Map(patients.map((patient) => [patient, inner.get(patient) ?? "test"]));
  });
}

function assertFolds(nFolds: number, nPatients: number, validationFraction: number): void {
  if (!Number.isInteger(nFolds) || nFolds < 2 || nFolds > nPatients) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `there are ${nFolds} folds; there must be 2 to ${nPatients}, the number of patients`,
    );
  }
  assertValidationFraction(validationFraction);
}

/** @throws {DomainError} `INVALID_ARGUMENT` unless it lies in [0, 1). */
export function assertValidationFraction(validationFraction: number): void {
  if (validationFraction >= 0 && validationFraction < 1) return;
  throw new DomainError("INVALID_ARGUMENT", `validation fraction is ${validationFraction}; it must lie in [0, 1)`);
}

function assertFilled(shares: readonly number[], parts: readonly Part[]): void {
  PARTS.forEach((part, p) => {
    if ((shares[p] ?? 0) === 0 || parts.includes(part)) return;
    throw new DomainError(
      "PRECONDITION_FAILED",
      `${part} got 0 of ${parts.length} patients at fraction ${shares[p]}; it needs at least 1`,
    );
  });
}

function splitOfRows(patients: readonly string[], partOf: PartOfPatient): Split {
  const rows = (part: Part): number[] =>
    patients.flatMap((patient, row) => (partOf.get(patient) === part ? [row] : []));
  return { train: rows("train"), validation: rows("validation"), test: rows("test") };
}
