// Legend: N tokens that are there, L magnifications that have any, n of them at one magnification, w its weight.

/** How the losses of removed tokens are joined: see {@link lossShares}. */
export const WEIGHTINGS = ["unbiased", "ratio"] as const;

/** One of {@link WEIGHTINGS}. */
export type Weighting = (typeof WEIGHTINGS)[number];

/**
 * The weight `w = N / (L n)` of a token of each magnification, from the number of tokens that are there, `counts`. Every
 * magnification then weighs the same on average, and the mean weight of a token is 1. Empty magnifications get 0.
 *
 * Source: specification of the loss of masked embedding modelling; the paper names the aim and not the numbers.
 */
export function levelWeights(counts: readonly number[]): number[] {
  const nPresent = counts.reduce((sum, count) => sum + count, 0);
  const nLevels = counts.filter((count) => count > 0).length;
  return counts.map((count) => (count === 0 ? 0 : nPresent / (nLevels * count)));
}

/**
 * What each removed token of one region takes in its loss, the sum of share × (1 - cosine): `w / M` when `unbiased`, `w / Σ w` of
 * the removed ones when `ratio`. `levels` names the magnification of each removed token as an index of `counts`.
 */
export function lossShares(levels: readonly number[], counts: readonly number[], weighting: Weighting): number[] {
  const weights = levelWeights(counts);
  const own = levels.map((level) => weights[level] ?? 0);
  const total = weighting === "unbiased" ? own.length : own.reduce((sum, weight) => sum + weight, 0);
  return own.map((weight) => weight / total);
}
