import { type Model, modelInputFromPorts } from "@parfocal/models";
import { type CaptureOptions, type ConstantTensor, captureGraph, gridAngles, rotatePairs, tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { languageFrequencies, pixelFrequencies } from "../../libs/models/src/layers/rotary-frequencies.ts";
import type { EagerBag } from "../../libs/models/src/testing/eager-model.ts";
import { F12_BAG, f12Model } from "../../libs/models/src/testing/tiny-dsmil.ts";
import { f5Weights, SLIDES, tinyModel } from "../../libs/models/src/testing/tiny-roformer.ts";
import { openGraph, runGraph } from "../../libs/tensor/src/testing/run-graph.ts";

// The numbers of the public programs through captured graphs in f32; the unit tests have them in f64.

const F32_TOLERANCE = 1e-5;

function f32(shape: readonly number[], data: ArrayLike<number>): ConstantTensor {
  return { dtype: "f32", shape, data: Float32Array.from(data) };
}

function expectNear(
  found: ArrayLike<number> | undefined,
  expected: readonly number[],
  tolerance = F32_TOLERANCE,
): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries())
    expect(Math.abs((found?.[i] ?? Number.NaN) - value)).toBeLessThan(tolerance);
}

const FAMILIES = {
  pixel: (n: number) => pixelFrequencies(n, 400),
  lang: (n: number) => languageFrequencies(n, 10_000),
};

/** Turns `x` [1, N, W] of one head by cells. */
function rotation(family: keyof typeof FAMILIES, width: number): CaptureOptions {
  return {
    name: "rotation",
    inputs: [
      { name: "x", dtype: "f32", shape: [1, "N", width] },
      { name: "grid", dtype: "i32", shape: ["N", 2] },
    ],
    build({ x, grid }) {
      const angles = gridAngles(grid as tf.Tensor2D, FAMILIES[family](width / 4));
      return { y: rotatePairs(x as tf.Tensor3D, tf.cos(angles), tf.sin(angles), 1) };
    },
  };
}

describe("captured rotation by the cell", () => {
  it.each([
    ["pixel", [0.9526029, 2.02300463, 4, -3, 4.76058629, 6.1916733, -8, 7]],
    ["lang", [-1.27223251, -1.83886499, 2.8786681, 4.08818664, 7.17185658, -3.09264826, 6.59141847, 8.33985627]],
  ] as const)("gives the numbers of F1 in the %s family", async (family, expected) => {
    const feeds = {
      x: f32([1, 1, 8], [1, 2, 3, 4, 5, 6, 7, 8]),
      grid: { dtype: "i32", shape: [1, 2], data: Int32Array.of(3, 5) } as const,
    };
    const { y } = await runGraph(captureGraph(rotation(family, 8)), feeds);
    expectNear(y?.data, expected);
  });

  it.each(["pixel", "lang"] as const)(
    "keeps scores under a shift of cells below 400 in the %s family (F3)",
    async (family) => {
      const run = await openGraph(captureGraph(rotation(family, 64)));
      const [q, k] = [Math.sin, Math.cos].map((wave) => Array.from({ length: 64 }, (_, i) => wave(3 * i + 1)));
      const scoreAt = async (dx: number, dy: number): Promise<number> => {
        const cells = Int32Array.of(3 + dx, 5 + dy, 11 + dx, 2 + dy);
        const grid = { dtype: "i32", shape: [2, 2], data: cells } as const;
        const { y } = await run({ x: f32([1, 2, 64], [...(q ?? []), ...(k ?? [])]), grid });
        const turned = Array.from(y?.data ?? []);
        return turned.slice(0, 64).reduce((sum, value, i) => sum + value * (turned[64 + i] ?? Number.NaN), 0);
      };
      const score = await scoreAt(0, 0);
      for (const [dx, dy] of [[7, 2], [380, 1], [100, 390]] as const) // biome-ignore format: one line
        expect(Math.abs((await scoreAt(dx, dy)) - score)).toBeLessThan(1e-4);
    },
  );
});

/** Logits of a captured model on a bag. */
async function logitsOf(model: Model, { features, grid, weights }: EagerBag): Promise<ArrayLike<number> | undefined> {
  const constants = model.parameters.map(({ name, shape }) => [name, f32(shape, weights[name] ?? [])] as const);
  const places = model.sideInputs.map((name) => ({ name, dtype: "i32" as const, shape: ["N" as const, 2] }));
  const graph = captureGraph({
    name: "model",
    inputs: [{ name: "features", dtype: "f32", shape: ["N", model.config.dIn] }, ...places],
    constants: Object.fromEntries(constants),
    build: (tensors) => ({ logits: model.forward(modelInputFromPorts(tensors), tensors).logits }),
  });
  const n = features.length / model.config.dIn;
  const cells = { dtype: "i32", shape: [n, 2], data: Int32Array.from(grid ?? []) } as const;
  const feeds = { features: f32([n, model.config.dIn], features), ...(grid && { grid: cells }) };
  return (await runGraph(graph, feeds)).logits?.data;
}

describe("captured models", () => {
  it.each([
    [0, [0.28844163, 0.00333329]],
    [1, [0.29116616, -0.01315477]],
  ] as const)("give the logits of slide %i of F5", async (slide, expected) => {
    expectNear(await logitsOf(tinyModel(), { ...SLIDES[slide], weights: f5Weights() }), expected);
  });

  it.each([
    [{ rotary: "none", absolute: "none" }, undefined, [0.28716479, 0.00331661]],
    [{ rotary: "lang" }, SLIDES[0].grid, [0.28547893, 0.00446957]],
  ] as const)("give the logits of F5 with %j", async (reembed, grid, expected) => {
    const bag = { features: SLIDES[0].features, ...(grid && { grid }), weights: f5Weights() };
    expectNear(await logitsOf(tinyModel(reembed), bag), expected);
  });

  it("give the logits of F12", async () => {
    expectNear(await logitsOf(f12Model(), F12_BAG), [-0.09237508, -0.225386]);
  });
});
