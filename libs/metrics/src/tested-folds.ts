import type { Split } from "./split.ts";
import { assertValidationFraction, type SplitOptions, splitPatients } from "./splits.ts";

/** What {@link testedFolds} divides. */
export interface TestedFoldsOptions extends Omit<SplitOptions, "plan"> {
  /** Fold that tests each row, `[N]`, from 0; no patient in two. */
  readonly testedBy: readonly number[];
  readonly nFolds: number;
  /** Share of a fold's other patients that validates, in [0, 1). */
  readonly validationFraction: number;
}

/**
 * Folds whose test parts are given: `[K]`. Who of the others validates is drawn for each fold by patient, stratified by label.
 * Depends on the set of patients, their labels and folds, and the seed, not on the order of rows.
 *
 * @throws {DomainError} as `splitPatients` does of folds, as when a fold leaves too few patients for training and validation.
 */
export function testedFolds(options: TestedFoldsOptions): Split[] {
  const { patients, labels, testedBy, nFolds, validationFraction, seed } = options;
  assertValidationFraction(validationFraction);
  const fractions = { train: 1 - validationFraction, validation: validationFraction, test: 0 };
  return Array.from({ length: nFolds }, (_, fold) => {
    const rows = [...patients.keys()];
    const rest = rows.filter((row) => testedBy[row] !== fold);
    const [inner] = splitPatients({
      patients: rest.map((row) => patients[row] ?? ""),
      labels: rest.map((row) => labels[row] ?? null),
      plan: { kind: "holdout", fractions },
      seed: BigInt.asUintN(64, seed + BigInt(fold)),
    });
    const outer = (part: readonly number[] = []) => part.flatMap((row) => rest[row] ?? []);
    const test = rows.filter((row) => testedBy[row] === fold);
    return { train: outer(inner?.train), validation: outer(inner?.validation), test };
  });
}
