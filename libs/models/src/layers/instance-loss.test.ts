import type { tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { doubleFiller } from "../testing/eager-model.ts";
import { double, inDoubles, numbersOf } from "../testing/in-doubles.ts";
import { type InstanceLossConfig, instanceLoss } from "./instance-loss.ts";

// The bag of F13: six tiles of four features, a = 2.
const SCORES = [0.3, -1.2, 2, 0.7, -0.4, 1.1];
const CONFIG: InstanceLossConfig = { instances: 2, instanceLoss: "ce", subtyping: true };

function lossOf(
  config: Partial<InstanceLossConfig>,
  target: { isTrue: number[]; weights?: number[] },
  nTiles = 6,
): number {
  return inDoubles(() => {
    const tiles = {
      hidden: double<tf.Tensor2D>(doubleFiller(24, 10, 2).slice(0, 4 * nTiles), [nTiles, 4]),
      scores: double<tf.Tensor2D>(SCORES.slice(0, nTiles), [nTiles, 1]),
    };
    const classifiers = [310, 312].map((seed) => ({
      weight: double<tf.Tensor2D>(doubleFiller(8, seed, 2), [2, 4]),
      bias: double<tf.Tensor1D>(doubleFiller(2, seed + 1, 2), [2]),
    }));
    const isTrue = double<tf.Tensor1D>(target.isTrue, [2]);
    const weights = double<tf.Tensor1D>(target.weights ?? [1, 1], [2]);
    return numbersOf(instanceLoss(tiles, classifiers, { isTrue, weights }, { ...CONFIG, ...config }))[0] ?? Number.NaN;
  });
}

describe("the numbers of F13", () => {
  it.each([
    ["in-class, cross entropy", { subtyping: false }, 0.98617681],
    ["in-class, smooth SVM", { subtyping: false, instanceLoss: "svm" } as const, 1.60856255],
    ["with subtyping", {}, 0.7545971],
  ])("come out %s", (_what, config, expected) => {
    expect(Math.abs(lossOf(config, { isTrue: [0, 1] }) - expected)).toBeLessThan(1e-7);
  });

  it("come out out of class, which is what the true class leaves of the total", () => {
    const outside = 2 * lossOf({}, { isTrue: [0, 1] }) - lossOf({ subtyping: false }, { isTrue: [0, 1] });
    expect(Math.abs(outside - 0.52301739)).toBeLessThan(2e-7);
  });
});

describe("an instance loss", () => {
  it("leaves out what nobody knows, and counts every class by its weight", () => {
    const [first, second] = [[1, 0], [0, 1]].map((isTrue) => lossOf({ subtyping: false }, { isTrue })) as [number, number]; // biome-ignore format: one line
    expect(lossOf({}, { isTrue: [0, 1], weights: [0, 1] })).toBeCloseTo(second / 2, 12);
    expect(lossOf({ subtyping: false }, { isTrue: [1, 1], weights: [0.5, 2] })).toBeCloseTo(first / 2 + 2 * second, 12);
  });

  it("takes half of the tiles at each end of a small bag, and none of a single tile", () => {
    const two = lossOf({ instances: 8, subtyping: false }, { isTrue: [0, 1] }, 2);
    expect(two).toBeCloseTo(lossOf({ instances: 1, subtyping: false }, { isTrue: [0, 1] }, 2), 12);
    expect(lossOf({ instances: 2, subtyping: false }, { isTrue: [0, 1] }, 5)).toBeCloseTo(
      lossOf({ instances: 8, subtyping: false }, { isTrue: [0, 1] }, 5),
      12,
    );
    expect(lossOf({ instances: 8 }, { isTrue: [0, 1] }, 1)).toBe(0);
  });
});
