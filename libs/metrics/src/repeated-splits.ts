import { DomainError } from "@parfocal/errors";
import { createRng } from "./rng.ts";
import type { Split } from "./split.ts";
import { type SplitOptions, splitPatients } from "./splits.ts";

/** What {@link repeatedFolds} divides, and how often. */
export interface RepeatedFoldsOptions extends Omit<SplitOptions, "plan"> {
  /** At least 2, at most the number of patients. */
  readonly nFolds: number;
  /** 1 to 1 000. */
  readonly nRepeats: number;
  /** Share of each fold's training patients that validates, in [0, 1). Default 0. */
  readonly validationFraction?: number;
}

/** What {@link monteCarloSplits} divides, and how often. */
export interface MonteCarloOptions extends Omit<SplitOptions, "plan"> {
  readonly fractions: Extract<SplitOptions["plan"], { kind: "holdout" }>["fractions"];
  /** 1 to 1 000. */
  readonly nSplits: number;
}

const MAX_REPEATS = 1000;

/**
 * Stratified folds by patient, drawn anew `nRepeats` times: `[R][K]`. The first repeat is what `splitPatients` gives for the
 * seed; the others do not depend on how many there are. Folds of one repeat share their training patients, and repeats
 * share all: the spread over R x K results is not that of independent ones.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for another number of repeats, and as `splitPatients`.
 */
export function repeatedFolds(options: RepeatedFoldsOptions): readonly (readonly Split[])[] {
  const { nFolds, nRepeats, validationFraction = 0, ...rest } = options;
  const plan = { kind: "folds", nFolds, validationFraction } as const;
  return seedsOf(options.seed, nRepeats, "repeats").map((seed) => splitPatients({ ...rest, plan, seed }));
}

/**
 * Holdout splits by patient, stratified, drawn anew `nSplits` times (Monte Carlo cross-validation): `[S]`. A patient may be
 * tested several times, or never. The first split is what `splitPatients` gives for the seed.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for another number of splits, and as `splitPatients`.
 * Source: Picard & Cook 1984.
 */
export function monteCarloSplits(options: MonteCarloOptions): readonly Split[] {
  const { fractions, nSplits, ...rest } = options;
  const plan = { kind: "holdout", fractions } as const;
  return seedsOf(options.seed, nSplits, "splits").flatMap((seed) => splitPatients({ ...rest, plan, seed }));
}

function seedsOf(seed: bigint, count: number, noun: string): bigint[] {
  if (!Number.isInteger(count) || count < 1 || count > MAX_REPEATS) {
    throw new DomainError("INVALID_ARGUMENT", `there are ${count} ${noun}; there must be 1 to ${MAX_REPEATS}`);
  }
  const rng = createRng(seed).fork("repeated splits");
  return Array.from({ length: count }, (_, r) => (r === 0 ? seed : BigInt(rng.fork(`${r}`).snapshot().seed)));
}
