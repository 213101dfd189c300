import type { Tensor } from "@tensorflow/tfjs";
import { describe, expect, it } from "vitest";
import { captureGraph } from "../capture/capture.ts";
import { formatGraph } from "../describe.ts";
import { runEagerly } from "../run-eagerly.ts";
import { openGraph, runGraph } from "../testing/run-graph.ts";
import { tf } from "../tf.ts";
import { deriveSize } from "./derive-size.ts";
import { indexVector } from "./index-vector.ts";
import type { IntegerFormula } from "./integer-math.ts";
import { placeRows, takeRows } from "./place-rows.ts";
import { scaleToRange } from "./scale-to-range.ts";

const rootOf: IntegerFormula<readonly [number]> = (math, [n]) => math.ceilSqrt(n);

describe("whole-number arithmetic", () => {
  it("has the root of every number up to a million, rounded up, eagerly and in a graph", async () => {
    const length = 1_000_000;
    const rootOfNext: IntegerFormula<readonly [number]> = (math, [i]) => math.ceilSqrt(math.add(i, math.constant(1)));
    const options = { name: "roots", inputs: [], build: () => ({ roots: indexVector(length, [], rootOfNext) }) };
    const expected = new Int32Array(length);
    for (let i = 0, root = 1; i < length; i++) {
      if (i + 1 > root * root) root++;
      expected[i] = root;
    }
    const results = [await runGraph(captureGraph(options), {}), runEagerly(options, {})];
    for (const { roots } of results) {
      const wrong = expected.findIndex((root, i) => roots?.data[i] !== root);
      expect([roots?.data.length, wrong]).toEqual([length, -1]);
    }
  });

  it("has roots beside squares where f32 no longer holds every whole number", async () => {
    const sides = [4096, 10_007, 20_011, 30_011, 46_340];
    for (const side of sides) {
      const offsets = [side * side - 1, side * side, side * side + 1];
      const roots = await Promise.all(
        offsets.map(async (n) => {
          const one = captureGraph({
            name: "one",
            inputs: [],
            build: () => ({ y: indexVector(1, [n], (math, [, size]) => math.ceilSqrt(size as never)) }),
          });
          return Number((await runGraph(one, {})).y?.data[0]);
        }),
      );
      expect(roots).toEqual([side, side, side + 1]);
    }
  });
});

/** Tiles [N, 2] in a square of side ⌈√N⌉, its columns summed: [side, 2]. */
function sumColumns(x: Tensor): Tensor {
  const nTiles = x.shape[0] ?? 0;
  const side = deriveSize({ symbol: "side", from: [nTiles], formula: rootOf });
  const placement = {
    source: indexVector(side * side, [nTiles], (math, [i, n]) => {
      const isTile = math.less(i, n);
      return math.add(n, math.mul(isTile, math.sub(i, n)));
    }),
    place: indexVector(nTiles, [], (_math, [i]) => i),
  };
  const square = tf.reshape(placeRows(x, placement), [side, side, 2]);
  const centred = tf.sub(square, tf.mean(square, 0, true));
  const back = takeRows(tf.reshape(centred, [side * side, 2]), placement); // [N, 2]
  return tf.mul(back, x);
}

describe("a derived size", () => {
  const optionsOf = (nTiles: number | "N") => ({
    name: "columns",
    inputs: [{ name: "x", dtype: "f32" as const, shape: [nTiles, 2] }],
    build: ({ x }: Readonly<Record<string, Tensor>>) => ({
      y: sumColumns(x as Tensor),
      slope: tf.grad((t: Tensor) => tf.sum(tf.square(sumColumns(t))))(x as Tensor),
    }),
  });

  it("follows N in shapes, values and gradients of one graph", async () => {
    const run = await openGraph(captureGraph(optionsOf("N")));
    for (const n of [1, 2, 4, 5, 63, 64, 65, 1000, 4097]) {
      const x = {
        dtype: "f32" as const,
        shape: [n, 2],
        data: Float32Array.from({ length: 2 * n }, (_, i) => Math.sin(i)),
      };
      const [dynamic, fixed] = [await run({ x }), await runGraph(captureGraph(optionsOf(n)), { x })];
      for (const name of ["y", "slope"]) {
        expect(dynamic[name]?.shape).toEqual([n, 2]);
        const wrong = Array.from(fixed[name]?.data ?? []).filter(
          (value, i) => Math.abs(value - Number(dynamic[name]?.data[i])) > 1e-5,
        );
        expect(wrong).toEqual([]);
      }
    }
  });

  it("is computed once and named in outputs that carry it", () => {
    const graph = captureGraph({
      name: "sides",
      inputs: [{ name: "x", dtype: "f32", shape: ["N", 2] }],
      build({ x }) {
        const side = () => deriveSize({ symbol: "side", from: [x?.shape[0] ?? 0], formula: rootOf });
        return { a: tf.fill([side(), 3], 1), b: tf.fill([side() * side()], 2) };
      },
    });
    expect(graph.outputs.map(({ shape }) => shape)).toEqual([["side", 3], ["side*side"]]);
    expect(formatGraph(graph).match(/Sqrt/g)).toHaveLength(1);
  });

  it("is refused where the graph would have to know more about it than its formula", () => {
    const graph = () =>
      captureGraph({
        name: "wrong",
        inputs: [{ name: "x", dtype: "f32", shape: ["N", 2] }],
        build({ x }) {
          const side = deriveSize({ symbol: "side", from: [x?.shape[0] ?? 0], formula: rootOf });
          return { y: tf.mul(x as Tensor, side) };
        },
      });
    expect(graph).toThrow("would hold only for one size of the symbolic dimensions");
  });
});

describe("scaleToRange", () => {
  it("shares the gradient of an extreme among equals", () => {
    const { slope } = runEagerly(
      {
        name: "ties",
        inputs: [],
        build: () => ({
          slope: tf.grad((x: Tensor) => tf.sum(tf.mul(scaleToRange(x, 0), [1, 2, 3, 4])))(tf.tensor1d([0, 0, 1, 2])),
        }),
      },
      {},
    );
    // Σ dy = 10, Σ dy·y = 5.5: each minimum gets half of 4.5 off, the maximum 5.5, over a range of 2.
    expect(Array.from(slope?.data ?? [])).toEqual([-0.625, -0.125, 1.5, -0.75]);
  });

  it("of a single element is 0 with a gradient of exactly 0", () => {
    const { y, slope } = runEagerly(
      {
        name: "single",
        inputs: [],
        build: () => ({
          y: scaleToRange(tf.tensor2d([[3]]), 1e-8),
          slope: tf.grad((x: Tensor) => tf.sum(tf.mul(scaleToRange(x, 1e-8), 7)))(tf.tensor2d([[3]])),
        }),
      },
      {},
    );
    expect([y?.data[0], slope?.data[0]]).toEqual([0, 0]);
  });
});
