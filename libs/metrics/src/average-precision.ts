import { assertBinaryInput, type BinaryLabels, countPositives } from "./binary-input.ts";
import { oneVsRest, type PerClass, perClassMeans } from "./one-vs-rest.ts";
import { type Ranking, rankScores } from "./ranking.ts";

/**
 * Average precision, in [0, 1]: the sum over distinct thresholds, from the top, of (recall gained) x precision. No
 * interpolation. Null without positives, or without negatives (where it would be 1 whatever the scores).
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `INVALID_ARGUMENT` or `NON_FINITE` for bad input.
 * Source: the definition of scikit-learn's `average_precision_score`. Differs: null, not 1, when every case is positive.
 */
export function averagePrecision(labels: BinaryLabels, scores: ArrayLike<number>): number | null {
  assertBinaryInput(labels, scores);
  return rankedAveragePrecision(rankScores(scores), labels);
}

/** {@link averagePrecision} over scores ranked before, case i counted `weights[i]` times. O(N). */
export function rankedAveragePrecision(
  ranking: Ranking,
  labels: BinaryLabels,
  weights?: ArrayLike<number>,
): number | null {
  const nPositives = countPositives(labels, weights);
  let truePositives = 0;
  let called = 0;
  let area = 0;
  let place = 0;
  for (const end of ranking.ends) {
    let gained = 0;
    for (; place < end; place += 1) {
      const i = ranking.order[place] ?? 0;
      const weight = weights === undefined ? 1 : (weights[i] ?? 0);
      called += weight;
      if (labels[i] === 1) gained += weight;
    }
    truePositives += gained;
    if (gained > 0) area += (gained / nPositives) * (truePositives / called);
  }
  return nPositives === 0 || nPositives === called ? null : area;
}

/**
 * One-versus-rest average precision of each class with its means; fields as in `multiclassAuroc`.
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `INVALID_ARGUMENT` or `NON_FINITE` for bad input.
 */
export function multiclassAveragePrecision(
  labels: ArrayLike<number>,
  probabilities: readonly ArrayLike<number>[],
  nClasses: number,
): PerClass {
  const classes = oneVsRest(labels, probabilities, nClasses);
  return perClassMeans(classes, ({ ranking, labels: isClass }) => rankedAveragePrecision(ranking, isClass));
}
