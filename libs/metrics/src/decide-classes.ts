import { argmax, medianClass } from "./confusion.ts";

/** How probabilities of classes decide: a threshold of the positive one, the greatest, a threshold each, or the median. */
export type DecidingKind = "binary" | "multiclass" | "multilabel" | "ordinal";

/**
 * The decided classes, as indices in rising order. Binary: the second when its probability reaches the threshold, else the first.
 * Multi-class: the most probable, of equals the first. Multi-label: every class that reaches its threshold. Ordinal: the median.
 *
 * @param probabilities `[K]`.
 * @param thresholds `[1]` of binary, `[K]` of multi-label, of others not looked at; 0.5 where there is none.
 */
export function decideClasses(
  kind: DecidingKind,
  probabilities: readonly number[],
  thresholds: readonly (number | undefined)[],
): number[] {
  const reaches = (k: number, threshold = 0.5) => (probabilities[k] ?? 0) >= threshold;
  switch (kind) {
    case "binary":
      return [Number(reaches(1, thresholds[0]))];
    case "multilabel":
      return [...probabilities.keys()].filter((k) => reaches(k, thresholds[k]));
    case "multiclass":
      return [argmax(probabilities)];
    case "ordinal":
      return [medianClass(probabilities)];
  }
}
