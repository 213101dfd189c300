import { describe, expect, it } from "vitest";
import { multiclassAuroc } from "./auroc.ts";
import { accuracy, argmax, balancedAccuracy, confusionMatrix, f1Scores } from "./confusion.ts";

/** The multi-class parity sample: 8 cases of 3 classes. Expected values have 8 decimals, from scikit-learn. */
const LABELS = [0, 1, 2, 0, 1, 2, 2, 1];
const ROWS = [
  [0.6, 0.3, 0.1],
  [0.3, 0.4, 0.3],
  [0.2, 0.2, 0.6],
  [0.4, 0.5, 0.1],
  [0.5, 0.3, 0.2],
  [0.1, 0.3, 0.6],
  [0.3, 0.4, 0.3],
  [0.2, 0.7, 0.1],
];

describe("multi-class metrics on the parity sample", () => {
  it("AUROC per class is 0.91666667, 0.7, 0.96666667; macro 0.86111111; weighted 0.85416667", () => {
    const { perClass, macro, weighted, nAveraged } = multiclassAuroc(LABELS, ROWS, 3);
    [0.91666667, 0.7, 0.96666667].forEach((expected, c) => {
      expect(perClass[c]).toBeCloseTo(expected, 8);
    });
    expect(macro).toBeCloseTo(0.86111111, 8);
    expect(weighted).toBeCloseTo(0.85416667, 8);
    expect(nAveraged).toBe(3);
  });

  it("balanced accuracy is 0.61111111; F1 macro 0.62380952, weighted 0.63928571, micro 0.625", () => {
    const confusion = confusionMatrix(LABELS, ROWS.map(argmax), 3);
    expect(balancedAccuracy(confusion)).toBeCloseTo(0.61111111, 8);
    const f1 = f1Scores(confusion);
    expect(f1.macro).toBeCloseTo(0.62380952, 8);
    expect(f1.weighted).toBeCloseTo(0.63928571, 8);
    expect(f1.micro).toBeCloseTo(0.625, 8);
    expect(accuracy(confusion)).toBeCloseTo(0.625, 8);
  });

  it("leaves a class that never occurs out of the means and says how many were averaged", () => {
    const { perClass, nAveraged, macro } = multiclassAuroc(
      [0, 1, 0],
      [
        [0.9, 0.1, 0],
        [0.2, 0.8, 0],
        [0.6, 0.4, 0],
      ],
      3,
    );
    expect(perClass).toEqual([1, 1, null]);
    expect(nAveraged).toBe(2);
    expect(macro).toBe(1);
  });
});
