import { createRng } from "@parfocal/metrics";
import {
  buildModel,
  captureServing,
  HEAD_KINDS,
  initialiseParameters,
  type Model,
  modelInputFromPorts,
  probabilityTensor,
} from "@parfocal/models";
import type { CaptureOptions, ConstantTensor } from "@parfocal/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assertBagFits } from "./bag-inputs.ts";
import { createOptimiser } from "./optimiser.ts";
import { parseOptimiser } from "./optimiser-config.ts";
import { trainStepBuild } from "./step-graphs.ts";
import { bagTensors, distance, modelTensors, only, runCaptured, runEager, runInEngine } from "./testing/graph-runs.ts";
import { openWorld, type World } from "./testing/world.ts";

// Every re-embedder in front of every head: adding either is a line here.

const D = 6;
const TASK = { kind: "multiclass", classes: ["a", "b", "c"] };

const REEMBEDDERS = {
  none: { kind: "none" },
  "r2t by storage order": {
    kind: "r2t",
    stemWidth: 8,
    heads: 2,
    crmsaHeads: 2,
    crmsaK: 2,
    epegKernel: 3,
    regionNum: 2,
  },
  "r2t by place": {
    ...{ kind: "r2t", compat: "corrected", grid: "coordinates", regionNum: 2 },
    ...{ stemWidth: 8, heads: 2, crmsaHeads: 2, crmsaK: 2, epegKernel: 3 },
  },
  "r2t with all that has sizes of its own": {
    ...{ kind: "r2t", compat: "corrected", grid: "coordinates", position: "peg", minRegionNum: 3, minRegionRatio: 0.1 },
    ...{ stemWidth: 8, heads: 2, crmsaHeads: 2, crmsaK: 2, epegKernel: 3, regionNum: 2 },
  },
  "r2t by storage order with a pyramid": {
    ...{ kind: "r2t", position: "ppeg", minRegionNum: 3, regionNum: 2 },
    ...{ stemWidth: 8, heads: 2, crmsaHeads: 2, crmsaK: 2, epegKernel: 3 },
  },
  "roformer by place": { kind: "roformer", width: 8, heads: 2 },
  "roformer without places": { kind: "roformer", width: 8, heads: 2, rotary: "none" },
} as const;

const HEADS = {
  mean: { kind: "mean", hidden: [4] },
  "max of embeddings": { kind: "max", hidden: [4] },
  "max of instances": { kind: "max", level: "instance", hidden: [4] },
  abmil: { kind: "abmil", hidden: [], attentionWidth: 4, attentionActivation: "relu", attentionBias: false },
  "gated abmil per class": { kind: "gated-abmil", hidden: [4], attentionWidth: 4, branches: "per-class" },
  "class attention": { kind: "class-attention", hidden: [4], attentionWidth: 4, heads: 2 },
  dsmil: { kind: "dsmil", queryWidth: 4 },
  transmil: { kind: "transmil", hidden: [4], heads: 2, landmarks: 4, convTaps: 5 },
  "dtfd by features": { kind: "dtfd", hidden: [4], attentionWidth: 4 },
  "dtfd by tiles": {
    kind: "dtfd",
    hidden: [4],
    attentionWidth: 4,
    groups: 3,
    distill: "max-min",
    attentionDropout: 0.2,
  },
  "clam sb": { kind: "clam", hidden: [4], attentionWidth: 4, instances: 2, subtyping: true },
  "clam mb": {
    kind: "clam",
    hidden: [4],
    attentionWidth: 4,
    branches: "per-class",
    bagLoss: "svm",
    instanceLoss: "ce",
  },
} as const;

const OPTIMISER = createOptimiser(parseOptimiser({ kind: "sgd", learningRate: 0.01 }));

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

/** A bag of five tiles with everything that a step of training takes. */
function stepTensors(model: Model): Record<string, ConstantTensor> {
  const tensors = modelTensors(model, 5);
  const zeros = { ...tensors.weights, data: new Float32Array(tensors.weights?.data.length ?? 0) } as ConstantTensor;
  const slots = OPTIMISER.slotNames.map((name) => [`slot.${name}`, zeros] as const);
  const hyper = { dtype: "f32", shape: [OPTIMISER.nHyper], data: OPTIMISER.hyper(1, 0.01) } as const;
  return { ...tensors, hyper, ...Object.fromEntries(slots) };
}

/** The model in one piece on its initial weights. */
function wholeModel(model: Model): { options: CaptureOptions; weights: ReturnType<typeof initialiseParameters> } {
  const weights = initialiseParameters(model.parameters, createRng(9n));
  const constants = model.parameters.map(({ name, shape }): [string, ConstantTensor] => [
    name,
    { dtype: "f32", shape, data: weights[name] ?? new Float32Array() },
  ]);
  const options: CaptureOptions = {
    name: "whole",
    inputs: Object.entries(bagTensors(model, 1)).map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    constants: Object.fromEntries(constants),
    build(tensors) {
      const { logits, attention } = model.forward(modelInputFromPorts(tensors), tensors);
      return { probabilities: probabilityTensor(model.config.task, logits), ...(attention && { attention }) };
    },
  };
  return { options, weights };
}

it("has a line for every head", () => {
  const kinds = new Set<string>(Object.values(HEADS).map(({ kind }) => kind));
  expect(HEAD_KINDS.filter((kind) => kind !== "none" && !kinds.has(kind))).toEqual([]);
});

describe.each(Object.entries(REEMBEDDERS))("re-embedder %s", (_reembedder, reembed) => {
  describe.each(Object.entries(HEADS))("with head %s", (_head, head) => {
    const model = buildModel({ dIn: D, standardise: true, reembed, head, task: TASK });

    it("trains a step: the captured one is the eager one, and moves the weights", async () => {
      const options = trainStepBuild(model, OPTIMISER);
      const fixed = { dtype: "f32", shape: [2 * D], data: new Float32Array(2 * D).fill(0.5) } as const;
      const tensors = only({ ...stepTensors(model), fixed }, options.inputs);
      const [found, expected] = [await runCaptured(world.engine, options, tensors), runEager(options, tensors)];
      expect(found.loss?.every(Number.isFinite)).toBe(true);
      expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
      for (const [name, values] of Object.entries(expected)) expect(distance(found[name], values)).toBeLessThan(2e-5);
      expect(found["next.weights"]).not.toEqual(tensors.weights?.data);
    });

    it("serves what the whole model says, in the stages it is published in, from one tile on (F27)", async () => {
      const { options, weights } = wholeModel(model);
      const { reembed: first, aggregate } = captureServing(model, weights);
      for (const nTiles of [1, 5, 70]) {
        const bag = bagTensors(model, nTiles);
        const tiles = first && (await runInEngine(world.engine, first.whole, bag)).tiles;
        const shape = [nTiles, model.tileWidth];
        const fed =
          tiles === undefined ? bag : { tiles: { dtype: "f32" as const, shape, data: Float32Array.from(tiles) } };
        const found = await runInEngine(world.engine, aggregate!, fed);
        const expected = runEager(options, bag);
        expect(found.probabilities?.every(Number.isFinite)).toBe(true);
        expect(distance(found.probabilities, expected.probabilities!)).toBeLessThan(2e-5);
        if (expected.attention) expect(distance(found.attention, expected.attention)).toBeLessThan(2e-5);
      }
    });

    it("refuses a bag of no tiles, and one without the places it asks for", () => {
      const ref = {
        key: "bags/x",
        digest: "0".repeat(64),
        sizeBytes: 1,
        n: 0,
        d: D,
        dtype: "F32",
        hasCoords: true,
      } as const;
      expect(() => assertBagFits(model, ref)).toThrow(/no tiles|0 tiles/u);
      const placeless = () => assertBagFits(model, { ...ref, n: 3, hasCoords: false });
      if (model.sideInputs.length > 0) expect(placeless).toThrow(/coordinates/u);
      else expect(placeless).not.toThrow();
    });
  });
});
