import { buildModel } from "@parfocal/models";
import { describe, expect, it } from "vitest";
import { layerIds, layerScales } from "./layer-scales.ts";

const TASK = { kind: "binary", classes: ["no", "yes"] };

function modelOf(reembed: Record<string, unknown>) {
  return buildModel({ dIn: 8, standardise: true, reembed, head: { kind: "mean", hidden: [4] }, task: TASK });
}

/** Scales of the layers of a re-embedder in rising order, rounded as the specifications print them. */
function scalesOf(reembed: Record<string, unknown>): number[] {
  const model = modelOf(reembed);
  const scales = layerScales(model, model.parameters, 0.75);
  return [...new Set(scales)].sort((a, b) => a - b);
}

const roformer = (depth: number) => ({ kind: "roformer", width: 8, heads: 2, depth });

describe("the numbers of F25", () => {
  it.each([
    [1, [0.5625, 0.75, 1]],
    [2, [0.421875, 0.5625, 0.75, 1]],
    [4, [0.2373046875, 0.31640625, 0.421875, 0.5625, 0.75, 1]],
  ])("with %i blocks", (depth, expected) => {
    expect(scalesOf(roformer(depth))).toEqual(expected);
  });

  it("with 6 blocks, as the mixer has them", () => {
    const depth = { blocks: Array.from({ length: 6 }, (_, i) => `reembed.blocks.${i}`), output: ["reembed.norm"] };
    const names = ["reembed.input.weight", ...depth.blocks.map((name) => `${name}.x.bias`), "reembed.norm.bias"];
    const parameters = names.map((name) => {
      return { name, shape: [1], init: { kind: "zeros" }, decay: false, isTrainable: true } as const;
    });
    const expected = [0.133484, 0.177979, 0.237305, 0.316406, 0.421875, 0.5625, 0.75, 1];
    for (const [i, scale] of layerScales({ depth, parameters }, parameters, 0.75).entries()) {
      expect(scale).toBeCloseTo(expected[i] ?? Number.NaN, 6);
    }
  });
});

describe("layers", () => {
  it("are the input's, the blocks' and the rest's in R2T", () => {
    const reembed = { kind: "r2t", stemWidth: 8, heads: 2, crmsaHeads: 2, nLayers: 3, position: "peg" };
    const { of, last } = layerIds(modelOf(reembed));
    expect(last).toBe(4);
    expect(of("reembed.stem.weight")).toBe(0);
    expect(of("reembed.position.weight")).toBe(0);
    expect(of("reembed.regional.0.norm.bias")).toBe(1);
    expect(of("reembed.regional.1.qkv.weight")).toBe(2);
    expect(of("reembed.cross.norm.weight")).toBe(3);
    expect(of("reembed.norm.weight")).toBe(4);
    expect(of("head.classifier.weight")).toBe(4);
  });

  it("do not take one block's name for the beginning of another's", () => {
    const depth = { blocks: Array.from({ length: 12 }, (_, i) => `reembed.blocks.${i}`), output: [] };
    const parameters = [
      { name: "reembed.a", shape: [1], init: { kind: "zeros" }, decay: false, isTrainable: true },
    ] as const;
    expect(layerIds({ depth, parameters }).of("reembed.blocks.11.a")).toBe(12);
  });

  it("leave the head alone in a model without a re-embedder", () => {
    expect(scalesOf({ kind: "none" })).toEqual([1]);
  });
});
