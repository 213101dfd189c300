import { describe, expect, it } from "vitest";
import { auroc } from "./auroc.ts";
import { averagePrecision } from "./average-precision.ts";
import {
  brierScore,
  calibrationBins,
  expectedCalibrationError,
  logLoss,
  multiclassBrierScore,
  multiclassLogLoss,
  topLabelCalibrationBins,
} from "./calibration.ts";
import {
  accuracy,
  argmax,
  balancedAccuracy,
  cohenKappa,
  confusionMatrix,
  f1Scores,
  precisions,
  recalls,
} from "./confusion.ts";
import { operatingPoints, prCurve, rocCurve } from "./curves.ts";
import { delongInterval, delongTest } from "./delong.ts";
import { wilsonInterval } from "./interval.ts";
import { twoSidedP, Z_95 } from "./normal-distribution.ts";
import { quantileSorted } from "./quantile.ts";
import { midRanks } from "./ranking.ts";
import { chooseThreshold } from "./threshold.ts";

describe("one class only", () => {
  it("has no AUROC, average precision, curve or interval", () => {
    expect(auroc([1, 1], [0.2, 0.3])).toBeNull();
    expect(auroc([], [])).toBeNull();
    expect(averagePrecision([0, 0], [0.2, 0.3])).toBeNull();
    expect(averagePrecision([1, 1], [0.2, 0.3])).toBeNull();
    expect(rocCurve([1], [0.5])).toBeNull();
    expect(prCurve([0], [0.5])).toBeNull();
    expect(delongInterval([1, 1], [0.2, 0.3])).toBeNull();
    expect(delongTest([1, 1], [0.2, 0.3], [0.3, 0.2])).toBeNull();
  });

  it("has no threshold by a rule that needs both", () => {
    expect(() => chooseThreshold([1, 1], [0.2, 0.3])).toThrow(
      "a youden threshold needs both classes; there are 2 positives and 0 negatives",
    );
  });
});

describe("bad input", () => {
  it("is refused with the value and the bound", () => {
    expect(() => auroc([0, 1], [0.5])).toThrow("2 labels for 1 scores; they must be as many");
    expect(() => auroc([0, 2], [0.5, 0.4])).toThrow("label 1 is 2; it must be 0 or 1");
    expect(() => auroc([0, 1], [0.5, Number.NaN])).toThrow("score 1 is NaN; it must be finite");
    expect(() => confusionMatrix([0, 3], [0, 1], 3)).toThrow("label 1 is 3; it must be an integer in [0, 2]");
    expect(() => brierScore([0], [1.2])).toThrow("probability 0 is 1.2; it must lie in [0, 1]");
    expect(() => wilsonInterval(3, 2)).toThrow("3 successes of 2 trials");
    expect(() => quantileSorted([], 0.5)).toThrow("a quantile of 0 values");
    expect(() => quantileSorted([1], 1.5)).toThrow("quantile fraction is 1.5");
  });
});

describe("rank statistics", () => {
  it("mid-ranks share the mean rank of ties", () => {
    expect([...midRanks([10, 20, 10, 30, 20, 20])]).toEqual([1.5, 4, 1.5, 6, 4, 4]);
  });

  it("type-7 quantiles interpolate as numpy does", () => {
    expect(quantileSorted([1, 2, 3, 4], 0.25)).toBe(1.75);
    expect(quantileSorted([1, 2, 3, 4], 0.975)).toBeCloseTo(3.925, 12);
    expect(quantileSorted([7], 0.3)).toBe(7);
  });

  it("the normal tail is right from the centre to where doubles end", () => {
    expect(twoSidedP(0)).toBe(1);
    expect(twoSidedP(Z_95)).toBeCloseTo(0.05, 14);
    expect(twoSidedP(-1)).toBeCloseTo(0.31731050786291415, 14);
    expect(twoSidedP(5) / 5.733031437583869e-7).toBeCloseTo(1, 11);
    expect(twoSidedP(10) / 1.523970604832105e-23).toBeCloseTo(1, 11);
    expect(twoSidedP(4.24264) / twoSidedP(4.24265)).toBeCloseTo(1, 3);
  });
});

describe("thresholds", () => {
  const labels = [0, 0, 1, 0, 1, 1];
  const scores = [0.1, 0.2, 0.3, 0.4, 0.6, 0.9];

  it("F1 is maximal at 0.3 where all positives are called", () => {
    expect(chooseThreshold(labels, scores, { kind: "max-f1" })).toMatchObject({ threshold: 0.3, sensitivity: 1 });
  });

  it("a sensitivity target takes the highest threshold that reaches it", () => {
    expect(chooseThreshold(labels, scores, { kind: "sensitivity", target: 0.6 }).threshold).toBe(0.6);
    expect(chooseThreshold(labels, scores, { kind: "sensitivity", target: 0.95 }).threshold).toBe(0.3);
    expect(() => chooseThreshold(labels, scores, { kind: "sensitivity", target: 0 })).toThrow(
      "target sensitivity is 0",
    );
  });

  it("a fixed one is kept, with what it gives, even on one class", () => {
    expect(chooseThreshold(labels, scores, { kind: "fixed", value: 0.5 })).toMatchObject({
      threshold: 0.5,
      sensitivity: 2 / 3,
      specificity: 1,
      n: 6,
    });
    expect(chooseThreshold([0], [0.2], { kind: "fixed", value: 0.5 })).toMatchObject({
      sensitivity: null,
      specificity: 1,
    });
  });

  it("operating points count what lies at or above each score", () => {
    expect(operatingPoints([0, 1, 1], [0.5, 0.5, 0.7])).toEqual([
      { threshold: 0.7, truePositives: 1, falsePositives: 0 },
      { threshold: 0.5, truePositives: 2, falsePositives: 1 },
    ]);
  });
});

describe("confusion metrics", () => {
  const confusion = [
    [8, 2, 0],
    [1, 3, 0],
    [0, 0, 0],
  ];

  it("leave out classes that do not occur", () => {
    expect(recalls(confusion)).toEqual([0.8, 0.75, null]);
    expect(precisions(confusion)).toEqual([8 / 9, 0.6, null]);
    expect(balancedAccuracy(confusion)).toBeCloseTo(0.775, 12);
    expect(f1Scores(confusion).perClass[2]).toBe(0);
    expect(f1Scores(confusion).macro).toBeCloseTo((16 / 19 + 6 / 9) / 2, 12);
  });

  it("kappa is 0 for chance, 1 for agreement, and null without variation", () => {
    expect(
      cohenKappa([
        [25, 25],
        [25, 25],
      ]),
    ).toBe(0);
    expect(
      cohenKappa([
        [3, 0],
        [0, 5],
      ]),
    ).toBe(1);
    expect(
      cohenKappa([
        [3, 0],
        [0, 0],
      ]),
    ).toBeNull();
    // Worked example of Cohen's statistic: agreement 0.7, expected 0.5.
    expect(
      cohenKappa([
        [20, 5],
        [10, 15],
      ]),
    ).toBeCloseTo(0.4, 12);
  });

  it("are null for an empty matrix", () => {
    const empty = [
      [0, 0],
      [0, 0],
    ];
    expect([accuracy(empty), balancedAccuracy(empty), cohenKappa(empty), f1Scores(empty).macro]).toEqual([
      null,
      null,
      null,
      null,
    ]);
  });

  it("argmax takes the lowest index on ties", () => {
    expect(argmax([0.2, 0.4, 0.4])).toBe(1);
  });
});

describe("calibration", () => {
  it("Brier and log loss match hand-computed values", () => {
    expect(brierScore([1, 0], [0.8, 0.4])).toBeCloseTo((0.04 + 0.16) / 2, 12);
    expect(logLoss([1, 0], [0.8, 0.4])).toBeCloseTo(-(Math.log(0.8) + Math.log(0.6)) / 2, 12);
    expect(logLoss([1], [0])).toBeCloseTo(34.538776, 5);
    expect(multiclassBrierScore([2], [[0.2, 0.3, 0.5]], 3)).toBeCloseTo(0.04 + 0.09 + 0.25, 12);
    expect(multiclassLogLoss([2], [[0.2, 0.3, 0.5]], 3)).toBeCloseTo(Math.log(2), 12);
    expect(brierScore([], [])).toBeNull();
  });

  it("bins are half-open, the last one closed, empty ones null", () => {
    const bins = calibrationBins([0, 1, 1, 1], [0, 0.5, 0.5, 1], 2);
    expect(bins).toEqual([
      { low: 0, high: 0.5, n: 1, meanPredicted: 0, observed: 0 },
      { low: 0.5, high: 1, n: 3, meanPredicted: 2 / 3, observed: 1 },
    ]);
    expect(expectedCalibrationError(bins)).toBeCloseTo(0.25, 12);
    expect(calibrationBins([1], [0.9], 10)[0]).toMatchObject({ n: 0, meanPredicted: null, observed: null });
    expect(expectedCalibrationError(calibrationBins([], []))).toBeNull();
  });

  it("of a multi-class model compares the confidence of the decision with whether it was right", () => {
    const bins = topLabelCalibrationBins(
      [0, 1],
      [
        [0.9, 0.1],
        [0.8, 0.2],
      ],
      1,
    );
    expect(bins[0]).toMatchObject({ n: 2, observed: 0.5 });
    expect(bins[0]?.meanPredicted).toBeCloseTo(0.85, 12);
  });
});

describe("wilsonInterval", () => {
  it("gives the known interval of 9 of 10", () => {
    const interval = wilsonInterval(9, 10);
    expect(interval?.low).toBeCloseTo(0.5958, 4);
    expect(interval?.high).toBeCloseTo(0.9821, 4);
  });

  it("keeps width at the ends, where it is exact, and is null for no trials", () => {
    expect(wilsonInterval(0, 10)).toMatchObject({ low: 0 });
    expect(wilsonInterval(0, 10)?.high).toBeCloseTo(0.27753, 4);
    expect(wilsonInterval(10, 10)).toMatchObject({ high: 1 });
    expect(wilsonInterval(0, 0)).toBeNull();
  });
});
