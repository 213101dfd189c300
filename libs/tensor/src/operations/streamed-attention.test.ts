import type { Tensor } from "@tensorflow/tfjs";
import { describe, expect, it } from "vitest";
import { type CaptureOptions, type ConstantTensor, captureGraph } from "../capture/capture.ts";
import { runEagerly } from "../run-eagerly.ts";
import { inDoublePrecision } from "../testing/double-precision.ts";
import { openGraph, runGraph } from "../testing/run-graph.ts";
import { tf } from "../tf.ts";
import { multiHeadAttention } from "./multi-head-attention.ts";
import { softmaxOverTiles } from "./pooling.ts";
import { streamedAttention } from "./streamed-attention.ts";

// Legend: N tiles, H heads, d head width.

type Attention = (query: Tensor, key: Tensor, value: Tensor) => Tensor;

function f32(shape: readonly number[], data: readonly number[]): ConstantTensor {
  return { dtype: "f32", shape, data: Float32Array.from(data) };
}

/** The output, and the gradients of Σ output · weight by queries, keys and values. */
function gradientsOf(attend: Attention, nTiles: number | "N", width: number): CaptureOptions {
  const port = (name: string) => ({ name, dtype: "f32" as const, shape: [1, nTiles, width] });
  return {
    name: "attention",
    inputs: ["q", "k", "v", "weight"].map(port),
    build({ q, k, v, weight }) {
      const loss = (...values: Tensor[]): tf.Scalar =>
        tf.sum(tf.mul(attend(values[0] as Tensor, values[1] as Tensor, values[2] as Tensor), weight as Tensor));
      const { grads } = tf.valueAndGrads(loss)([q as Tensor, k as Tensor, v as Tensor]);
      const y = attend(q as Tensor, k as Tensor, v as Tensor);
      return { y, dq: grads[0] as Tensor, dk: grads[1] as Tensor, dv: grads[2] as Tensor };
    },
  };
}

/** Attention with every weight at once, of tfjs's own operations and their own gradients. */
function dense(heads: number): Attention {
  return (query, key, value) => {
    const [, nTiles = 1, width = 1] = query.shape;
    const split = (x: Tensor) => tf.transpose(tf.reshape(x, [nTiles, heads, width / heads]), [1, 0, 2]); // [H, N, d]
    const scores = tf.mul(tf.matMul(split(query), split(key), false, true), 1 / Math.sqrt(width / heads));
    const mixed = tf.matMul(tf.softmax(scores), split(value)); // [H, N, d]
    return tf.reshape(tf.transpose(mixed, [1, 0, 2]), [1, nTiles, width]);
  };
}

describe("the numbers of F7", () => {
  // With one head of width 1 the scores of a query of 1 are the keys.
  const feeds = () => ({
    q: f32([1, 4, 1], [1, 1, 1, 1]),
    k: f32([1, 4, 1], [1, 2, -1, 0.5]),
    v: f32([1, 4, 1], [1, 2, 3, 4]),
    weight: f32([1, 4, 1], [1, 0, 0, 0]),
  });
  const OUTPUT = 2.07811324;
  const TOTAL = 1.64079667;

  it("come out of fused attention in f32, and of the eager one in f64", async () => {
    const forms: readonly Attention[] = [
      (q, k, v) => streamedAttention(q, k, v, { heads: 1 }),
      (q, k, v) => multiHeadAttention(q, k, v, { heads: 1 }),
    ];
    for (const attend of forms) {
      const options = gradientsOf(attend, 4, 1);
      expect((await runGraph(captureGraph(options), feeds())).y?.data[0]).toBeCloseTo(OUTPUT, 6);
      const exact = inDoublePrecision(() => Array.from(runEagerly(options, feeds()).y?.data ?? []));
      expect(Math.abs((exact[0] ?? Number.NaN) - OUTPUT)).toBeLessThan(1e-8);
    }
  });

  it.each([1, 2, 3, 4])("and the same gradient come out in blocks of %i queries", async (queryBlock) => {
    const options = gradientsOf((q, k, v) => streamedAttention(q, k, v, { heads: 1, queryBlock }), "N", 1);
    const { y, dv } = await runGraph(captureGraph(options), feeds());
    expect(y?.data[0]).toBeCloseTo(OUTPUT, 6);
    // The gradient by a value is its weight, exp(score - 2) over the sum.
    for (const [i, score] of [1, 2, -1, 0.5].entries()) expect(dv?.data[i]).toBeCloseTo(Math.exp(score - 2) / TOTAL, 6);
  });

  it("come out of the softmax over tiles: the largest weight is 1 over the sum", () => {
    const options: CaptureOptions = {
      name: "softmax",
      inputs: [{ name: "x", dtype: "f32", shape: [4, 1] }],
      build: ({ x }) => ({ y: softmaxOverTiles(x as Tensor) }),
    };
    const weights = inDoublePrecision(() =>
      Array.from(runEagerly(options, { x: f32([4, 1], [1, 2, -1, 0.5]) }).y?.data ?? []),
    );
    expect(Math.abs(1 / (weights[1] ?? Number.NaN) - TOTAL)).toBeLessThan(1e-8);
    const mixed = weights.reduce((sum, weight, i) => sum + weight * (i + 1), 0);
    expect(Math.abs(mixed - OUTPUT)).toBeLessThan(1e-8);
  });
});

type Feeds = Readonly<Record<"q" | "k" | "v" | "weight", ConstantTensor>>;

/** Captured for any N, against f64: the worst difference over the largest number of each result. */
async function comparedWithDense(heads: number, queryBlock: number, bags: readonly Feeds[]): Promise<number> {
  const width = bags[0]?.q.shape[2] ?? heads;
  const attend: Attention = (q, k, v) => streamedAttention(q, k, v, { heads, queryBlock });
  const run = await openGraph(captureGraph(gradientsOf(attend, "N", width)));
  const gaps: number[] = [];
  for (const feeds of bags) {
    const nTiles = feeds.q.shape[1] ?? 0;
    const found = await run(feeds);
    const expected = inDoublePrecision(() => runEagerly(gradientsOf(dense(heads), nTiles, width), feeds));
    for (const name of ["y", "dq", "dk", "dv"]) {
      const exact = Array.from(expected[name]?.data ?? []);
      expect(found[name]?.data).toHaveLength(nTiles * width);
      const scale = Math.max(1, ...exact.map(Math.abs));
      gaps.push(...exact.map((value, i) => Math.abs(value - Number(found[name]?.data[i])) / scale));
    }
  }
  return gaps.reduce((most, gap) => Math.max(most, gap), 0);
}

describe("streamed attention forwards and backwards is dense attention (F26)", () => {
  const WIDTH = 12;
  const draw = (nTiles: number, seed: number) =>
    f32([1, nTiles, WIDTH], Array.from({ length: nTiles * WIDTH }, (_, i) => 1.5 * Math.sin(1.3 * i + seed))); // biome-ignore format: one line

  // Two heads go together where their number is even.
  it.each([
    [3, 16],
    [3, 128],
    [2, 16],
    [4, 5],
  ])("with %i heads, in blocks of %i queries, for any N", async (heads, queryBlock) => {
    const bags = [1, 2, 15, 16, 17, 130].map((nTiles) => {
      return { q: draw(nTiles, 1), k: draw(nTiles, 2), v: draw(nTiles, 3), weight: draw(nTiles, 4) };
    });
    // f32 sums of up to 130 terms against f64.
    expect(await comparedWithDense(heads, queryBlock, bags)).toBeLessThan(2e-6);
  });
});

describe("scores of any size", () => {
  const [N, HEADS, DEPTH] = [70, 2, 4];

  const rows = (valueAt: (i: number) => number) =>
    f32(
      [1, N, HEADS * DEPTH],
      Array.from({ length: N * HEADS * DEPTH }, (_, i) => valueAt(i)),
    );
  // With d = 4 the scores of whole numbers are halves, exact in f32, so that only exponentials are rounded.
  const whole = (most: number, seed: number) => rows((i) => Math.round(most * Math.sin(1.3 * i * i + seed)));
  const bagOf = (most: number): Feeds => {
    return { q: whole(most, 1), k: whole(most, 2), v: whole(2, 3), weight: whole(2, 4) };
  };

  it.each([
    [5, "within the bound below which nothing is taken off"],
    [30, "far beyond it"],
  ])("whole numbers up to %i, %s", async (most) => {
    expect(await comparedWithDense(HEADS, 16, [bagOf(most)])).toBeLessThan(2e-6);
  });

  it("gives queries whose scores are all very small the weights of their scores", async () => {
    // Every score is -72: exponentials of 5e-32, and equal weights.
    const bag = { q: rows(() => 6), k: rows(() => -6), v: whole(2, 3), weight: whole(2, 4) };
    expect(await comparedWithDense(HEADS, 16, [bag])).toBeLessThan(2e-6);
  });
});
