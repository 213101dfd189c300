import type { Rng } from "./rng.ts";

/** How patients of a cohort come into bins (parts or folds) that are alike in their labels. Deterministic for a generator. */
export interface Divider {
  /** Every patient once, in an order that does not depend on that of the rows. */
  readonly patients: readonly string[];
  /** The bin of each of `members`, by the bins' `shares`, `[P]`, which sum to 1. Sizes are the shares, rounded. */
  byShares(members: ReadonlySet<string>, shares: readonly number[], rng: Rng): Map<string, number>;
  /** The bin of every patient, bins being equally large as far as their labels allow. `nBins` is at most the number of patients. */
  evenly(nBins: number, rng: Rng): Map<string, number>;
}
