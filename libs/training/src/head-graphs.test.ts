import { buildModel } from "@parfocal/models";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gradStepBuild, logitsBuild } from "./step-graphs.ts";
import { distance, modelTensors, only, runCaptured, runEager } from "./testing/graph-runs.ts";
import { openWorld, type World } from "./testing/world.ts";

// Legend: N tiles, D features.

const D = 12;
const TASK = { kind: "binary", classes: ["no", "yes"] };

/** Heads whose graphs hold sizes, places or choices that follow from N. */
const HEADS = {
  "clam sb": { kind: "clam", hidden: [10], attentionWidth: 4, instances: 4, subtyping: true },
  "clam mb": { kind: "clam", hidden: [10], attentionWidth: 4, instances: 4, branches: "per-class", instanceLoss: "ce" },
  "gated abmil": { kind: "gated-abmil", hidden: [10], attentionWidth: 4 },
  dsmil: { kind: "dsmil", queryWidth: 4 },
  transmil: { kind: "transmil", hidden: [8], heads: 2, landmarks: 8, convTaps: 9 },
  "dtfd by features": { kind: "dtfd", hidden: [8], attentionWidth: 4 },
  "dtfd by largest tiles": { kind: "dtfd", hidden: [8], attentionWidth: 4, groups: 3, distill: "max", instances: 2 },
  "dtfd by tiles of both ends": { kind: "dtfd", hidden: [8], attentionWidth: 4, distill: "max-min" },
} as const;

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

describe.each(Object.entries(HEADS))("one graph of %s for every number of tiles", (_name, head) => {
  const model = buildModel({ dIn: D, head, task: TASK });

  it.each([1, 2, 3, 8, 9, 50, 257])("gives the eager logits, loss and gradients of %i tiles", async (nTiles) => {
    for (const options of [logitsBuild(model), gradStepBuild(model, false)]) {
      const tensors = only(modelTensors(model, nTiles), options.inputs);
      const [found, expected] = [await runCaptured(world.engine, options, tensors), runEager(options, tensors)];
      expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
      for (const [name, values] of Object.entries(expected)) expect(distance(found[name], values)).toBeLessThan(1e-5);
    }
  });

  it("gives the eager logits of 1301 tiles, which heads that go by blocks cut in three", async () => {
    const options = logitsBuild(model);
    const tensors = only(modelTensors(model, 1301), options.inputs);
    const [found, expected] = [await runCaptured(world.engine, options, tensors), runEager(options, tensors)];
    expect(Object.keys(expected)).not.toHaveLength(0);
    for (const [name, values] of Object.entries(expected)) expect(distance(found[name], values)).toBeLessThan(1e-5);
  });

  it("gives the loss and gradients of 4097 tiles that a graph of that number gives", async () => {
    const options = gradStepBuild(model, false);
    const tensors = only(modelTensors(model, 4097), options.inputs);
    const inputs = options.inputs.map((port) => ({ ...port, shape: tensors[port.name]?.shape ?? [] }));
    const fixed = await runCaptured(world.engine, { ...options, inputs }, tensors);
    const found = await runCaptured(world.engine, options, tensors);
    for (const [name, values] of Object.entries(fixed)) expect(distance(found[name], values)).toBeLessThan(1e-5);
  });
});
