import { bagPorts, buildModel } from "@parfocal/models";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gradStepBuild, logitsBuild } from "./step-graphs.ts";
import { distance, modelTensors, only, runCaptured, runEager } from "./testing/graph-runs.ts";
import { openWorld, type World } from "./testing/world.ts";

// Legend: N tiles, D features.

const D = 12;
const TASK = { kind: "binary", classes: ["no", "yes"] };
const HEADS = [
  { kind: "class-attention", hidden: [10], attentionWidth: 8, heads: 2 },
  { kind: "dsmil", queryWidth: 8 },
  { kind: "gated-abmil", hidden: [10], attentionWidth: 4 },
];
const REEMBEDDERS = [
  { kind: "roformer", width: 16, heads: 2 },
  { kind: "roformer", width: 16, heads: 4, depth: 2, rotary: "lang" },
  { kind: "roformer", width: 16, heads: 2, rotary: "none", absolute: "sine" },
];

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

describe.each(REEMBEDDERS)("the captured gradient step of %j", (reembed) => {
  it.each(HEADS)("with %j equals the eager one", async (head) => {
    const model = buildModel({ dIn: D, reembed, head, task: TASK });
    const options = gradStepBuild(model, false);
    const tensors = only(modelTensors(model, 9), options.inputs);
    const [found, expected] = [await runCaptured(world.engine, options, tensors), runEager(options, tensors)];
    expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, values] of Object.entries(expected)) expect(distance(found[name], values)).toBeLessThan(1e-5);
  });
});

describe("one graph of roformer for every number of tiles", () => {
  const model = buildModel({ dIn: D, reembed: REEMBEDDERS[0], head: HEADS[0], task: TASK });

  it.each([1, 2, 63, 64, 65, 1000])("gives the eager logits and gradients of %i tiles", async (nTiles) => {
    for (const options of [logitsBuild(model), gradStepBuild(model, false)]) {
      const tensors = only(modelTensors(model, nTiles), options.inputs);
      const [found, expected] = [await runCaptured(world.engine, options, tensors), runEager(options, tensors)];
      for (const [name, values] of Object.entries(expected)) expect(distance(found[name], values)).toBeLessThan(2e-5);
    }
  });

  it("gives the logits and gradients of 4097 tiles that a graph of that number gives", async () => {
    for (const options of [logitsBuild(model), gradStepBuild(model, false)]) {
      const tensors = only(modelTensors(model, 4097), options.inputs);
      const inputs = options.inputs.map((port) => ({ ...port, shape: tensors[port.name]?.shape ?? [] }));
      const [found, expected] = [
        await runCaptured(world.engine, options, tensors),
        await runCaptured(world.engine, { ...options, inputs }, tensors),
      ];
      for (const [name, values] of Object.entries(expected)) expect(distance(found[name], values)).toBeLessThan(2e-5);
    }
  });

  it("asks for a grid beside the features", () => {
    expect(bagPorts(model)[1]).toEqual({ name: "grid", dtype: "i32", shape: ["N", 2] });
  });
});
