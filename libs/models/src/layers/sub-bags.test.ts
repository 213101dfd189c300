import { runEagerly, tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import type { Link } from "../task.ts";
import { doubleFiller } from "../testing/eager-model.ts";
import { double, inDoubles, numbersOf } from "../testing/in-doubles.ts";
import { attendWithin, classActivation, fixedKeys, type SubBags, splitTiles, valuesWithin } from "./sub-bags.ts";

/** Sizes of the sub-bags that `keys` make, and which of them are said to be filled. */
function sizesOf(keys: readonly number[], nGroups: number): { sizes: number[]; isFilled: number[] } {
  return inDoubles(() => {
    const bags = splitTiles(double<tf.Tensor2D>(keys, [1, keys.length]), nGroups);
    return { sizes: numbersOf(tf.sum(bags.isIn, 0)), isFilled: numbersOf(bags.isFilled) };
  });
}

describe("a split of tiles", () => {
  it("of 10 into 4 has sizes 3, 3, 2, 2 (F17), whatever the draw, with equal draws too", () => {
    const draws = [doubleFiller(10, 3), doubleFiller(10, 8), new Array<number>(10).fill(7)];
    for (const keys of draws) expect(sizesOf(keys, 4)).toEqual({ sizes: [3, 3, 2, 2], isFilled: [1, 1, 1, 1] });
  });

  it("leaves sub-bags empty where there are fewer tiles, and says so (F27)", () => {
    expect(sizesOf([0.5, 0.2], 4)).toEqual({ sizes: [1, 1, 0, 0], isFilled: [1, 1, 0, 0] });
    expect(sizesOf([0.5], 1)).toEqual({ sizes: [1], isFilled: [1] });
  });

  it("puts tiles where the ranks of their draws say", () => {
    const isIn = inDoubles(() => numbersOf(splitTiles(double<tf.Tensor2D>([30, 10, 40, 20], [1, 4]), 2).isIn));
    expect(isIn).toEqual([1, 0, 1, 0, 0, 1, 0, 1]);
  });

  it("without a draw scatters every stretch of tiles over all sub-bags, and differs from split to split", () => {
    const nTiles = 1000;
    const isIn = inDoubles(() => numbersOf(splitTiles(fixedKeys(nTiles, 5), 4).isIn));
    const groups = Array.from({ length: 5 }, (_, s) =>
      Array.from({ length: nTiles }, (_tile, n) => isIn.slice(20 * n + 4 * s, 20 * n + 4 * s + 4).indexOf(1)),
    );
    for (const split of groups) {
      for (let first = 0; first < nTiles; first += 100) {
        const counts = [0, 1, 2, 3].map((g) => split.slice(first, first + 100).filter((group) => group === g).length);
        // A draw's standard deviation is 4.1.
        for (const count of counts) expect(Math.abs(count - 25)).toBeLessThan(17);
      }
    }
    const [one = [], other = []] = groups;
    const nSame = one.filter((group, n) => group === other[n]).length;
    expect(Math.abs(nSame - 250)).toBeLessThan(55);
  });
});

describe("the numbers of F17", () => {
  const found = inDoubles(() => {
    const [hidden, scores, weight, bias] = [
      double<tf.Tensor2D>(doubleFiller(12, 30, 2), [4, 3]),
      double<tf.Tensor2D>(doubleFiller(4, 31, 4), [4, 1]),
      double<tf.Tensor2D>(doubleFiller(6, 32, 2), [2, 3]),
      double<tf.Tensor1D>(doubleFiller(2, 33), [2]),
    ];
    const bags: SubBags = { nSplits: 1, nGroups: 1, isIn: tf.ones([4, 1]), isFilled: tf.ones([1]) };
    const attention = attendWithin(scores, bags);
    const logits = tf.add(tf.matMul(tf.matMul(attention, hidden, true), weight, false, true), bias);
    const activation = classActivation(attention, tf.matMul(hidden, weight, false, true), bags, "softmax");
    return {
      attention: numbersOf(attention),
      logits: numbersOf(logits),
      // The program's own is the probability.
      activation: numbersOf(tf.sigmoid(activation)),
      picked: numbersOf(tf.argMax(valuesWithin(activation, bags), 0)),
    };
  });

  it.each([
    ["attention", [0.3857372, 0.23781882, 0.18747582, 0.18896816]],
    ["logits", [-0.5992204, -0.65895806]],
    ["activation", [0.48895006, 0.50937331, 0.51864776, 0.49831446]],
  ] as const)("come out of %s", (name, expected) => {
    expect(found[name]).toHaveLength(expected.length);
    for (const [i, value] of expected.entries())
      expect(Math.abs((found[name][i] ?? Number.NaN) - value)).toBeLessThan(1e-7);
  });

  it("pick tile 2", () => {
    expect(found.picked).toEqual([2]);
  });
});

it("puts the values of other sub-bags' tiles below all of a sub-bag's own, however large they are", () => {
  const within = inDoubles(() => {
    const isIn = double<tf.Tensor2D>([1, 0, 0, 1, 1, 0], [3, 2]);
    const bags: SubBags = { nSplits: 1, nGroups: 2, isIn, isFilled: tf.ones([2]) };
    return numbersOf(valuesWithin(double<tf.Tensor2D>([-1e20, 1e20, 3], [3, 1]), bags));
  });
  expect([within[0], within[3], within[4]]).toEqual([-1e20, 1e20, 3]);
  for (const outside of [within[1], within[2], within[5]]) expect(outside).toBeLessThan(-1e20);
});

describe("how much a tile says for the last class", () => {
  /** Tiles from the one that says least to the one that says most, by products `[4, K]` in f32. */
  const order = (products: readonly (readonly number[])[], link: Link): number[] => {
    const rows = {
      dtype: "f32",
      shape: [4, products[0]?.length ?? 0],
      data: Float32Array.from(products.flat()),
    } as const;
    const { said } = runEagerly(
      {
        name: "said",
        inputs: [{ name: "rows", dtype: "f32", shape: rows.shape }],
        build: ({ rows: logits }) => {
          const bags: SubBags = { nSplits: 1, nGroups: 1, isIn: tf.ones([4, 1]), isFilled: tf.ones([1]) };
          return { said: valuesWithin(classActivation(tf.ones([4, 1]), logits as tf.Tensor2D, bags, link), bags) };
        },
      },
      { rows },
    );
    const values = Array.from(said?.data ?? []).map(Number);
    expect(new Set(values).size).toBe(4);
    return [0, 1, 2, 3].sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  };

  it.each([
    [
      "two classes of a softmax",
      "softmax",
      [
        [-20, 20],
        [-60, 30],
        [40, -40],
        [90, -45],
      ],
    ],
    [
      "three classes of a softmax",
      "softmax",
      [
        [0, -20, 40],
        [0, -60, 90],
        [0, 70, -20],
        [0, 80, -45],
      ],
    ],
    ["a sigmoid", "sigmoid", [[40], [90], [-40], [-190]]],
    [
      "two sigmoids",
      "sigmoid",
      [
        [40, 1],
        [-5, 90],
        [-40, -300],
        [-190, -290],
      ],
    ],
    ["numbers", "identity", [[40], [90], [-40], [-190]]],
  ] as const)("is told apart where the probabilities are 0 or 1 in f32: %s", (_what, link, products) => {
    expect(order(products, link)).toEqual([3, 2, 0, 1]);
  });

  it("ranks tiles as the probabilities do", () => {
    const numbers = doubleFiller(12, 40, 4);
    const rows = [0, 3, 6, 9].map((first) => numbers.slice(first, first + 3));
    const last = rows.map((z) => Math.exp(z[2] ?? 0) / z.reduce((sum, value) => sum + Math.exp(value), 0));
    expect(order(rows, "softmax")).toEqual([0, 1, 2, 3].sort((a, b) => (last[a] ?? 0) - (last[b] ?? 0)));
  });
});
