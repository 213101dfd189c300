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

  it("with 6 blocks, as the mixer has them (M12)", () => {
    const expected = [0.133484, 0.177979, 0.237305, 0.316406, 0.421875, 0.5625, 0.75, 1];
    const scales = scalesOf({ kind: "region-mixer", regionTiles: 1, width: 4, heads: 1, depth: 6 });
    expect(scales).toHaveLength(expected.length);
    for (const [i, scale] of scales.entries()) expect(scale).toBeCloseTo(expected[i] ?? Number.NaN, 6);
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

  it("are the input's, the blocks' and the rest's in the mixer", () => {
    const { of, last } = layerIds(modelOf({ kind: "region-mixer", regionTiles: 1, width: 4, heads: 1, depth: 2 }));
    expect(last).toBe(3);
    const { parameters } = modelOf({ kind: "region-mixer", regionTiles: 1, width: 4, heads: 1, depth: 2 });
    const namesOf = (layer: number) => parameters.map(({ name }) => name).filter((name) => of(name) === layer);
    expect(namesOf(0).filter((name) => name.startsWith("reembed."))).toEqual(
      expect.arrayContaining(["reembed.input.weight", "reembed.positions"]),
    );
    expect(namesOf(1).every((name) => name.startsWith("reembed.blocks.0."))).toBe(true);
    expect(namesOf(2).every((name) => name.startsWith("reembed.blocks.1."))).toBe(true);
    expect(namesOf(3)).toEqual(expect.arrayContaining(["reembed.norm.weight", "head.classifier.weight"]));
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
