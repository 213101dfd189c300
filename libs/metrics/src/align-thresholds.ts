import type { MetricName } from "./evaluation-types.ts";

/** What depends on where the threshold lies. */
export const DECISION_METRICS: ReadonlySet<MetricName> = new Set([
  "accuracy",
  "exactMatch",
  "balancedAccuracy",
  "sensitivity",
  "specificity",
  "ppv",
  "npv",
  "f1",
  "macroF1",
  "weightedF1",
  "microF1",
  "kappa",
]);

/**
 * A probability so moved that its threshold lies at one half: straight from 0 to it, and from it to 1. So cases of several models, each with
 * thresholds of its own, are decided by one.
 */
export function alignToHalf(p: number, threshold: number): number {
  if (p >= threshold) return threshold >= 1 ? 1 : 0.5 + (0.5 * (p - threshold)) / (1 - threshold);
  // Not one half itself, whatever rounding makes of a probability just below.
  return Math.min((0.5 * p) / threshold, 0.5 - Number.EPSILON);
}
