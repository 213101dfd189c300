import { assertBinaryInput, type BinaryLabels } from "./binary-input.ts";
import { oneVsRest, type PerClass, perClassMeans } from "./one-vs-rest.ts";
import { type Ranking, rankScores } from "./ranking.ts";

/**
 * Area under the ROC curve, in [0, 1]: the probability that a positive outscores a negative, ties counting one half.
 * Null when a class is missing. O(N log N).
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `INVALID_ARGUMENT` or `NON_FINITE` for bad input.
 * Source: Hanley & McNeil 1982 (Mann-Whitney form); equals the mid-rank formula.
 */
export function auroc(labels: BinaryLabels, scores: ArrayLike<number>): number | null {
  assertBinaryInput(labels, scores);
  return rankedAuroc(rankScores(scores), labels);
}

/** {@link auroc} over scores ranked before, case i counted `weights[i]` times (once without weights). O(N). */
export function rankedAuroc(ranking: Ranking, labels: BinaryLabels, weights?: ArrayLike<number>): number | null {
  let positivesAbove = 0;
  let negativesAbove = 0;
  // Pairs in which the negative scores higher, or half for ties: AUROC is one minus their share.
  let lost = 0;
  let place = 0;
  for (const end of ranking.ends) {
    let positives = 0;
    let negatives = 0;
    for (; place < end; place += 1) {
      const i = ranking.order[place] ?? 0;
      const weight = weights === undefined ? 1 : (weights[i] ?? 0);
      if (labels[i] === 1) positives += weight;
      else negatives += weight;
    }
    lost += positives * (negativesAbove + negatives / 2);
    positivesAbove += positives;
    negativesAbove += negatives;
  }
  const nPairs = positivesAbove * negativesAbove;
  return nPairs === 0 ? null : (nPairs - lost) / nPairs;
}

/**
 * One-versus-rest AUROC of each class: `probabilities[i][c]` against `labels[i] === c`. `macro` is their plain mean and
 * `weighted` the mean by prevalence, over the `nAveraged` classes that have both positives and negatives.
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `INVALID_ARGUMENT` or `NON_FINITE` for bad input.
 */
export function multiclassAuroc(
  labels: ArrayLike<number>,
  probabilities: readonly ArrayLike<number>[],
  nClasses: number,
): PerClass {
  const classes = oneVsRest(labels, probabilities, nClasses);
  return perClassMeans(classes, ({ ranking, labels: isClass }) => rankedAuroc(ranking, isClass));
}
