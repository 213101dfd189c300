import { describe, expect, it } from "vitest";
import { chiSquaredP } from "./chi-squared.ts";
import { cohenKappa, confusionMatrix } from "./confusion.ts";
import { regressionMetrics, regressionStatistics } from "./regression-metrics.ts";
import { weightedKappa } from "./weighted-kappa.ts";

/** Expected values by scikit-learn 1.7 and scipy 1.17. */
const TARGETS = [3, -0.5, 2, 7, 4.2, 4.2, 1.1, 0.3];
const PREDICTED = [2.5, 0, 2, 8, 3.9, 5.1, 1.1, -0.4];

describe("metrics of numbers", () => {
  it("equal scikit-learn and scipy", () => {
    const metrics = regressionMetrics(TARGETS, PREDICTED);
    expect(metrics.mae).toBeCloseTo(0.4875, 12);
    expect(metrics.rmse).toBeCloseTo(0.6010407640085653, 12);
    expect(metrics.r2).toBeCloseTo(0.9313844784092595, 12);
    expect(metrics.pearson).toBeCloseTo(0.9802921281016519, 12);
    expect(metrics.spearman).toBeCloseTo(0.9700772721497398, 12);
  });

  it("count a case as often as its weight says", () => {
    const metrics = regressionStatistics(TARGETS, PREDICTED)([2, 0, 1, 3, 1, 0, 2, 1]);
    expect(metrics.mae).toBeCloseTo(0.5, 12);
    expect(metrics.r2).toBeCloseTo(0.933874653571255, 12);
    expect(metrics.pearson).toBeCloseTo(0.9931105458637021, 12);
    expect(metrics.spearman).toBeCloseTo(1, 12);
  });

  it("are null where nothing varies or nothing is", () => {
    expect(regressionMetrics([1, 1], [1, 2])).toMatchObject({ mae: 0.5, r2: null, pearson: null, spearman: null });
    expect(regressionMetrics([], [])).toMatchObject({ mae: null, rmse: null, r2: null, pearson: null });
  });

  it("refuse other lengths and values that are no numbers", () => {
    expect(() => regressionMetrics([1], [])).toThrow("1 targets for 0 predictions");
    expect(() => regressionMetrics([1], [Number.NaN])).toThrow("prediction 0 is NaN");
  });
});

describe("weighted kappa", () => {
  const confusion = confusionMatrix([0, 1, 2, 3, 2, 1, 0, 3, 3, 2], [0, 2, 2, 3, 1, 1, 1, 3, 2, 0], 4);

  it("equals scikit-learn, linear and quadratic, and unweighted beside it", () => {
    expect(cohenKappa(confusion)).toBeCloseTo(1 / 3, 12);
    expect(weightedKappa(confusion, "linear")).toBeCloseTo(0.5, 12);
    expect(weightedKappa(confusion)).toBeCloseTo(0.6521739130434783, 12);
  });

  it("is null when all are of one class on both sides, or nobody is there", () => {
    expect(
      weightedKappa([
        [3, 0],
        [0, 0],
      ]),
    ).toBeNull();
    expect(
      weightedKappa([
        [0, 0],
        [0, 0],
      ]),
    ).toBeNull();
  });
});

describe("the tail of chi-squared", () => {
  it("equals scipy to 10 digits, far out too", () => {
    const expected = [
      [3.84, 1, 0.05004352124870519],
      [5.99, 2, 0.05003662708658629],
      [7.815, 3, 0.049993902974883875],
      [20.5, 4, 0.00039777188456711226],
      [0.3, 5, 0.9976430862605289],
      [45, 7, 1.3676028507174286e-7],
      [800, 6, 1.5398155074540412e-169],
    ] as const;
    for (const [statistic, degrees, p] of expected) expect(chiSquaredP(statistic, degrees) / p).toBeCloseTo(1, 10);
    expect(chiSquaredP(0, 3)).toBe(1);
  });

  it("refuses a negative statistic and half a degree", () => {
    expect(() => chiSquaredP(-1, 1)).toThrow("chi-squared of -1");
    expect(() => chiSquaredP(1, 1.5)).toThrow("1.5 degrees");
  });
});
