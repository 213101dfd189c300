import { cosineDistance, tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { double, inDoubles, numbersOf } from "../testing/in-doubles.ts";
import { levelWeights, lossShares } from "./level-weights.ts";

const X = [1, 0, 0, 1, 1, 1, 1, -1, 2, 0];
const PREDICTED = [1, 1, 0, 3, 1, -1, 1, -1, -1, 0];
const LEVELS = [0, 1, 1, 1, 1];
const REMOVED = [0, 2, 4];

const distances = (x: readonly number[], y: readonly number[]): number[] =>
  inDoubles(() => numbersOf(cosineDistance(double(x, [5, 2]), double(y, [5, 2]))));

function joined(values: readonly number[], weighting: "unbiased" | "ratio"): number {
  const shares = lossShares(REMOVED.map((t) => LEVELS[t]!), [1, 4], weighting); // biome-ignore format: one line
  return REMOVED.reduce((sum, t, i) => sum + (shares[i] ?? 0) * (values[t] ?? 0), 0);
}

describe("the masked loss (M7)", () => {
  const found = distances(X, PREDICTED);

  it("has the specified distances", () => {
    const expected = [1 - Math.SQRT1_2, 0, 1, 0, 2];
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 12);
  });

  it("has the specified values, unbiased, as a ratio, unweighted and over all tokens", () => {
    const weights = levelWeights([1, 4]);
    expect(weights).toEqual([2.5, 0.625]);
    expect(joined(found, "unbiased")).toBeCloseTo(0.869077682, 9);
    expect(joined(found, "ratio")).toBeCloseTo(0.695262146, 9);
    expect(REMOVED.reduce((sum, t) => sum + found[t]!, 0) / 3).toBeCloseTo(1.097631073, 9);
    expect(found.reduce((sum, d, t) => sum + weights[LEVELS[t]!]! * d, 0) / 5).toBeCloseTo(0.521446609, 9);
  });

  it("does not look at lengths", () => {
    const scaled = distances(X.map((v) => 3.5 * v), PREDICTED.map((v) => 0.2 * v)); // biome-ignore format: one line
    for (const [i, value] of scaled.entries()) expect(value).toBeCloseTo(found[i]!, 12);
  });

  it("has gradients orthogonal to the predictions, none at kept tokens", () => {
    const shares = [2.5 / 3, 0, 0.625 / 3, 0, 0.625 / 3];
    const slopes = inDoubles(() => {
      const x = double<tf.Tensor2D>(X, [5, 2]);
      const loss = (y: tf.Tensor) => tf.sum(tf.mul(cosineDistance(x, y), double(shares, [5])));
      return numbersOf(tf.grad(loss)(double(PREDICTED, [5, 2])));
    });
    for (let t = 0; t < 5; t++) {
      const [a = 1, b = 1] = slopes.slice(2 * t, 2 * t + 2);
      expect(a * PREDICTED[2 * t]! + b * PREDICTED[2 * t + 1]!).toBeCloseTo(0, 12);
      if (!REMOVED.includes(t)) expect([Math.abs(a), Math.abs(b)]).toEqual([0, 0]);
    }
    expect(Math.abs(slopes[0]!)).toBeGreaterThan(0.1);
  });
});
