import { describe, expect, it } from "vitest";
import { captureGraph } from "./capture/capture.ts";
import { describeGraph, formatGraph } from "./describe.ts";
import { type GatedAbmilSizes, servingOptions, trainingOptions } from "./testing/gated-abmil.ts";

const sizes: GatedAbmilSizes = { nTiles: "N", nFeatures: 1024, stemWidth: 512, attentionWidth: 256, nClasses: 2 };

describe("formatGraph", () => {
  it("shows ports, operators and the biggest constants", () => {
    expect(formatGraph(captureGraph(servingOptions(sizes)))).toMatchInlineSnapshot(`
      "graph gated-abmil
        in   x f32 [N, 1024]
        in   w1 f32 [512, 1024]
        in   b1 f32 [512]
        in   v f32 [256, 512]
        in   bv f32 [256]
        in   u f32 [256, 512]
        in   bu f32 [256]
        in   w f32 [1, 256]
        in   b f32 [1]
        in   c f32 [2, 512]
        in   bc f32 [2]
        out  logits f32 [1, 2]
        out  attention f32 [N, 1]
        17 nodes: 6 Gemm, 4 Add, 2 Reshape, 1 Mul, 1 Relu, 1 Sigmoid, 1 Softmax, 1 Tanh
        2 constants, 32 B; the biggest:
          dims:[-1,1] [2] 16 B
          dims:[1,-1] [2] 16 B"
    `);
  });
});

describe("the training step of gated attention at 4096 tiles of 1024 features", () => {
  const summary = describeGraph(captureGraph(trainingOptions({ ...sizes, nTiles: 4096 })));

  it("has no constant above 100 kB", () => {
    expect(summary.constants[0]?.bytes).toBeLessThan(100_000);
    expect(summary.constantBytes).toBeLessThan(1_000);
  });

  it("has one product for each layer forward and one for each gradient, and none by the features", () => {
    // Five linear layers and the pooling; each has two gradients but the first, whose input is data. Three biases of many rows are summed.
    expect(summary.nodesByOperator.Gemm).toBe(6 + 2 * 6 - 1 + 3);
  });

  it("materialises no transpose but of both attention layers' flat gradients, and no expansion but the ones that add rows up", () => {
    // [512, 256] each, made standing: nothing as long as the tiles is turned.
    expect(summary.nodesByOperator.Transpose).toBe(2);
    expect(summary.nodesByOperator.Expand).toBe(1);
  });
});
