import type { Tensor } from "@tensorflow/tfjs";
import { describe, expect, it } from "vitest";
import { describeGraph } from "../describe.ts";
import { dropout } from "../operations/dropout.ts";
import { layerNorm } from "../operations/layer-norm.ts";
import { tf } from "../tf.ts";
import { captureGraph } from "./capture.ts";

/** Operators of the graph of `f` over x [N, 4], g [4] and u16 words [N, 4]. */
function operatorsOf(f: (x: Tensor, g: Tensor, words: Tensor) => Tensor | Tensor[]): Readonly<Record<string, number>> {
  const graph = captureGraph({
    name: "test",
    inputs: [
      { name: "x", dtype: "f32", shape: ["N", 4] },
      { name: "g", dtype: "f32", shape: [4] },
      { name: "words", dtype: "u16", shape: ["N", 4] },
    ],
    build({ x, g, words }) {
      const results = [f(x as Tensor, g as Tensor, words as Tensor)].flat();
      return Object.fromEntries(results.map((result, i) => [`y${i}`, result]));
    },
  });
  return describeGraph(graph).nodesByOperator;
}

describe("simplifyProgram", () => {
  it("computes the same thing once", () => {
    expect(operatorsOf((x) => tf.add(tf.tanh(x), tf.tanh(x)))).toEqual({ Add: 1, Tanh: 1 });
  });

  it("keeps apart what differs in attributes or in the type cast to", () => {
    expect(operatorsOf((x) => [tf.leakyRelu(x, 0.1), tf.leakyRelu(x, 0.2)])).toEqual({ LeakyRelu: 2 });
    expect(operatorsOf((x) => [tf.cast(x, "int32"), tf.cast(x, "bool")])).toEqual({ Cast: 2 });
  });

  it("drops what no output needs", () => {
    const operators = operatorsOf((x) => {
      tf.tanh(x);
      return tf.neg(x);
    });
    expect(operators).toEqual({ Neg: 1 });
  });

  it("reads a transposed factor by a flag of the product", () => {
    expect(operatorsOf((x) => tf.matMul(tf.transpose(x), x))).toEqual({ Gemm: 1 });
    expect(operatorsOf((x) => tf.matMul(tf.transpose(tf.transpose(x)), x, false, true))).toEqual({ Gemm: 1 });
  });

  it("composes reshapes and drops those that change nothing", () => {
    expect(operatorsOf((x) => tf.reshape(tf.reshape(x, [-1]), [2, -1, 2]))).toEqual({ Reshape: 1 });
    expect(operatorsOf((x) => tf.neg(tf.reshape(tf.reshape(x, [-1]), [-1, 4])))).toEqual({ Neg: 1 });
  });

  it("leaves broadcasting to elementwise operators", () => {
    expect(operatorsOf((x, g) => tf.add(x, tf.broadcastTo(g, [x.shape[0] ?? 0, 4])))).toEqual({ Add: 1 });
    expect(operatorsOf((x) => tf.mul(x, tf.ones(x.shape)))).toEqual({ Identity: 1 });
  });

  it("expands where the shape would otherwise be lost", () => {
    const both = operatorsOf((x, g) => tf.add(tf.broadcastTo(g, [x.shape[0] ?? 0, 4]), 1));
    expect(both).toMatchObject({ Add: 1, Expand: 1 });
  });

  it("computes the statistics of a layer norm once for both passes", () => {
    const operators = operatorsOf((x, g) => tf.grad((t: Tensor) => tf.sum(tf.square(layerNorm(t, g, g))))(x));
    expect(operators.LayerNormalization).toBe(1);
  });

  it("computes the mask of a dropout once for both passes, from the words as they come", () => {
    const operators = operatorsOf((x, _g, words) =>
      tf.grad((t: Tensor) => tf.sum(tf.square(dropout(t, words, 0.5))))(x),
    );
    expect(operators).toMatchObject({ Cast: 1, Clip: 1 });
  });
});
