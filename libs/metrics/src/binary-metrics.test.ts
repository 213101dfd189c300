import { describe, expect, it } from "vitest";
import { auroc } from "./auroc.ts";
import { averagePrecision } from "./average-precision.ts";
import { balancedAccuracy, confusionMatrix, f1Scores } from "./confusion.ts";
import {
  delongComponents,
  delongCovariance,
  delongInterval,
  delongTest,
  delongVariance,
  delongWaldInterval,
} from "./delong.ts";
import { chooseThreshold } from "./threshold.ts";

/** The binary parity sample: 10 cases, ties across classes. Expected values have 8 decimals, from scikit-learn and the formulas. */
const LABELS = [0, 0, 0, 0, 1, 1, 1, 1, 0, 1];
const SCORES = [0.1, 0.4, 0.35, 0.4, 0.4, 0.8, 0.65, 0.35, 0.2, 0.9];
const OTHER_SCORES = [0.3, 0.2, 0.5, 0.6, 0.7, 0.55, 0.9, 0.45, 0.1, 0.35];

const componentsOf = (scores: number[]) => {
  const components = delongComponents(LABELS, scores);
  if (components === null) throw new Error("the sample has both classes");
  return components;
};

describe("binary metrics on the parity sample", () => {
  it("AUROC is 0.86 and average precision 0.85833333", () => {
    expect(auroc(LABELS, SCORES)).toBeCloseTo(0.86, 8);
    expect(averagePrecision(LABELS, SCORES)).toBeCloseTo(0.85833333, 8);
  });

  it("at 0.5, balanced accuracy is 0.8, F1 0.75 and macro F1 0.79166667", () => {
    const predicted = SCORES.map((score) => Number(score >= 0.5));
    const confusion = confusionMatrix(LABELS, predicted, 2);
    expect(confusion).toEqual([
      [5, 0],
      [2, 3],
    ]);
    expect(balancedAccuracy(confusion)).toBeCloseTo(0.8, 8);
    expect(f1Scores(confusion).perClass[1]).toBeCloseTo(0.75, 8);
    expect(f1Scores(confusion).macro).toBeCloseTo(0.79166667, 8);
  });

  it("Youden's J is 0.6 at threshold 0.65, the highest of the tied ones", () => {
    const chosen = chooseThreshold(LABELS, SCORES);
    expect(chosen.threshold).toBe(0.65);
    expect((chosen.sensitivity ?? 0) + (chosen.specificity ?? 0) - 1).toBeCloseTo(0.6, 8);
  });

  it("DeLong's variance is 0.0142", () => {
    expect(delongVariance(componentsOf(SCORES))).toBeCloseTo(0.0142, 8);
  });

  it("the Wald interval leaves [0, 1] and the logit interval does not", () => {
    const wald = delongWaldInterval(LABELS, SCORES);
    // The expected values were made with 1.959964 for the normal quantile, ours has all digits: 2e-9 apart.
    expect(Math.abs((wald?.low ?? 0) - 0.62644333)).toBeLessThan(1e-8);
    expect(Math.abs((wald?.high ?? 0) - 1.09355667)).toBeLessThan(1e-8);
    const logit = delongInterval(LABELS, SCORES);
    expect(logit?.low).toBeCloseTo(0.46890283, 8);
    expect(logit?.high).toBeCloseTo(0.9771375, 8);
  });

  it("a second model has AUROC 0.80, variance 0.024 and covariance 0.007 with the first", () => {
    const other = componentsOf(OTHER_SCORES);
    expect(other.auroc).toBeCloseTo(0.8, 8);
    expect(delongVariance(other)).toBeCloseTo(0.024, 8);
    expect(delongCovariance(componentsOf(SCORES), other)).toBeCloseTo(0.007, 8);
  });

  it("the paired test gives z 0.38569461 and p 0.69972286", () => {
    const test = delongTest(LABELS, SCORES, OTHER_SCORES);
    expect(test?.z).toBeCloseTo(0.38569461, 8);
    expect(test?.pValue).toBeCloseTo(0.69972286, 8);
  });
});
