import { DomainError } from "@parfocal/errors";
import { type BinaryLabels, countPositives } from "./binary-input.ts";
import { type OperatingPoint, operatingPoints } from "./curves.ts";

/** How a decision threshold is chosen. The decision is always "score >= threshold". */
export type ThresholdRule =
  | { readonly kind: "youden" }
  | { readonly kind: "max-f1" }
  /** The highest threshold whose sensitivity reaches `target`, in (0, 1]. */
  | { readonly kind: "sensitivity"; readonly target: number }
  /** Not chosen from data at all. */
  | { readonly kind: "fixed"; readonly value: number };

/** A threshold and what it gave on the sample that chose it. */
export interface ChosenThreshold {
  readonly threshold: number;
  readonly rule: ThresholdRule;
  /** TPR on that sample; null when it has no positives. */
  readonly sensitivity: number | null;
  /** TNR on that sample; null when it has no negatives. */
  readonly specificity: number | null;
  /** Size of that sample. */
  readonly n: number;
}

/**
 * Chooses the decision threshold on `labels` and `scores`, which must be a validation sample: choosing it on the cases that
 * are then evaluated flatters the result. Scans distinct scores downwards and keeps the first maximum, so ties go to the
 * highest threshold.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` when the rule needs both classes and one is missing; `INVALID_ARGUMENT` for a
 * target outside (0, 1] or a fixed value that is not finite; and as `auroc` for bad input.
 * Source: Youden 1950 (J = sensitivity + specificity - 1).
 */
export function chooseThreshold(
  labels: BinaryLabels,
  scores: ArrayLike<number>,
  rule: ThresholdRule = { kind: "youden" },
): ChosenThreshold {
  const points = operatingPoints(labels, scores);
  const counts = { nPositives: countPositives(labels), nNegatives: labels.length - countPositives(labels) };
  assertRule(rule, counts);
  const threshold = thresholdByRule(points, counts, rule);
  const reached = points.findLast((point) => point.threshold >= threshold);
  const { truePositives, falsePositives } = reached ?? { truePositives: 0, falsePositives: 0 };
  return {
    threshold,
    rule,
    sensitivity: counts.nPositives === 0 ? null : truePositives / counts.nPositives,
    specificity: counts.nNegatives === 0 ? null : 1 - falsePositives / counts.nNegatives,
    n: labels.length,
  };
}

interface ClassCounts {
  readonly nPositives: number;
  readonly nNegatives: number;
}

function thresholdByRule(points: readonly OperatingPoint[], counts: ClassCounts, rule: ThresholdRule): number {
  switch (rule.kind) {
    case "fixed":
      return rule.value;
    case "youden":
      // J times both class counts: an integer, so equal values of J tie exactly.
      return firstMaximum(points, (p) => p.truePositives * counts.nNegatives - p.falsePositives * counts.nPositives);
    case "max-f1":
      return firstMaximum(
        points,
        (p) => (2 * p.truePositives) / (p.truePositives + p.falsePositives + counts.nPositives),
      );
    case "sensitivity":
      return firstMaximum(points, (p) => Number(p.truePositives / counts.nPositives >= rule.target));
  }
}

function firstMaximum(points: readonly OperatingPoint[], value: (point: OperatingPoint) => number): number {
  let best = -Infinity;
  let threshold = Number.NaN;
  for (const point of points) {
    const candidate = value(point);
    if (candidate > best) {
      best = candidate;
      threshold = point.threshold;
    }
  }
  return threshold;
}

function assertRule(rule: ThresholdRule, { nPositives, nNegatives }: ClassCounts): void {
  if (rule.kind === "fixed") {
    if (!Number.isFinite(rule.value)) {
      throw new DomainError("INVALID_ARGUMENT", `fixed threshold is ${rule.value}; it must be finite`);
    }
    return;
  }
  if (rule.kind === "sensitivity" && !(rule.target > 0 && rule.target <= 1)) {
    throw new DomainError("INVALID_ARGUMENT", `target sensitivity is ${rule.target}; it must lie in (0, 1]`);
  }
  if (nPositives === 0 || nNegatives === 0) {
    throw new DomainError(
      "PRECONDITION_FAILED",
      `a ${rule.kind} threshold needs both classes; there are ${nPositives} positives and ${nNegatives} negatives`,
    );
  }
}
