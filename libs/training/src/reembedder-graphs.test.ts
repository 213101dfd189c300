import { createRandomWords, type HostTensor, type TensorSource } from "@parfocal/engine";
import { createRng } from "@parfocal/metrics";
import { bagPorts, buildModel, initialiseParameters, type Model } from "@parfocal/models";
import { type CaptureOptions, type ConstantTensor, captureGraph, type GraphPort, runEagerly } from "@parfocal/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { flatLayout, flattenWeights } from "./flat-layout.ts";
import { floatsFromHostTensor } from "./host-tensor.ts";
import { gradStepBuild, logitsBuild } from "./step-graphs.ts";
import { encodeTarget } from "./target.ts";
import { filler } from "./testing/filler.ts";
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

type Tensors = Readonly<Record<string, ConstantTensor>>;

async function runCaptured(options: CaptureOptions, tensors: Tensors): Promise<Record<string, Float32Array>> {
  const graph = captureGraph(options);
  const dtypes = new Map(options.inputs.map(({ name, dtype }) => [name, dtype]));
  const feeds = Object.entries(tensors).map(([name, { shape, data }]): [string, TensorSource] => {
    const dtype = dtypes.get(name) ?? "f32";
    const stored = dtype === "u16" ? Uint16Array.from(data) : data;
    const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
    const tensor: HostTensor = { dtype, shape, data: bytes };
    return [name, { kind: "inline", tensor }];
  });
  const fetches = Object.fromEntries(graph.outputs.map(({ name }) => [name, { kind: "inline" } as const]));
  const [result] = await world.engine.run([{ graph, feeds: Object.fromEntries(feeds), fetches }]);
  const outputs = Object.entries(result?.outputs ?? {});
  return Object.fromEntries(outputs.map(([name, tensor]) => [name, floatsFromHostTensor(tensor, name)]));
}

function runEager(options: CaptureOptions, tensors: Tensors): Record<string, Float32Array> {
  const outputs = Object.entries(runEagerly(options, tensors));
  return Object.fromEntries(outputs.map(([name, { data }]) => [name, Float32Array.from(data)]));
}

function distance(found: Float32Array | undefined, expected: Float32Array): number {
  expect(found).toHaveLength(expected.length);
  const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-6);
  return expected.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (found?.[i] ?? Number.NaN))), 0) / scale;
}

/** Bag, weights, target and random words of a model. */
function tensorsOf(model: Model, nTiles: number): Record<string, ConstantTensor> {
  const { trainable, nTrainable } = flatLayout(model.parameters);
  const weights = flattenWeights(trainable, initialiseParameters(model.parameters, createRng(4n)));
  const words = model.dropoutSites.map((site, i): [string, ConstantTensor] => {
    const shape = site.shape.map((dim) => (typeof dim === "number" ? dim : nTiles));
    const data = Int32Array.from(createRandomWords({ seed: 3n, stream: BigInt(i), shape }));
    return [`random.${site.name}`, { dtype: "i32", shape, data }];
  });
  const grid = Int32Array.from({ length: 2 * nTiles }, (_, i) => (i % 2 === 0 ? Math.floor(i / 14) : (i * 5) % 11));
  return {
    features: { dtype: "f32", shape: [nTiles, D], data: filler([nTiles, D], 5, 2) },
    ...(model.sideInputs.includes("grid") && { grid: { dtype: "i32", shape: [nTiles, 2], data: grid } }),
    weights: { dtype: "f32", shape: [nTrainable], data: weights },
    target: { dtype: "f32", shape: [2, model.nLogits], data: encodeTarget(model.config.task, 1, PLAIN) },
    ...Object.fromEntries(words),
  };
}

const PLAIN = { labelSmoothing: 0.1, classWeights: [1, 2] };

function only(tensors: Record<string, ConstantTensor>, ports: readonly GraphPort[]): Tensors {
  return Object.fromEntries(ports.map(({ name }) => [name, tensors[name] as ConstantTensor]));
}

describe.each(REEMBEDDERS)("the captured gradient step of %j", (reembed) => {
  it.each(HEADS)("with %j equals the eager one", async (head) => {
    const model = buildModel({ dIn: D, reembed, head, task: TASK });
    const options = gradStepBuild(model, false);
    const tensors = only(tensorsOf(model, 9), options.inputs);
    const [found, expected] = [await runCaptured(options, tensors), runEager(options, tensors)];
    expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, values] of Object.entries(expected)) expect(distance(found[name], values)).toBeLessThan(1e-5);
  });
});

describe("one graph of roformer for every number of tiles", () => {
  const model = buildModel({ dIn: D, reembed: REEMBEDDERS[0], head: HEADS[0], task: TASK });

  it.each([1, 2, 63, 64, 65, 1000])("gives the eager logits and gradients of %i tiles", async (nTiles) => {
    for (const options of [logitsBuild(model), gradStepBuild(model, false)]) {
      const tensors = only(tensorsOf(model, nTiles), options.inputs);
      const [found, expected] = [await runCaptured(options, tensors), runEager(options, tensors)];
      for (const [name, values] of Object.entries(expected)) expect(distance(found[name], values)).toBeLessThan(2e-5);
    }
  });

  it("gives the logits and gradients of 4097 tiles that a graph of that number gives", async () => {
    for (const options of [logitsBuild(model), gradStepBuild(model, false)]) {
      const tensors = only(tensorsOf(model, 4097), options.inputs);
      const inputs = options.inputs.map((port) => ({ ...port, shape: tensors[port.name]?.shape ?? [] }));
      const [found, expected] = [
        await runCaptured(options, tensors),
        await runCaptured({ ...options, inputs }, tensors),
      ];
      for (const [name, values] of Object.entries(expected)) expect(distance(found[name], values)).toBeLessThan(2e-5);
    }
  });

  it("asks for a grid beside the features", () => {
    expect(bagPorts(model)[1]).toEqual({ name: "grid", dtype: "i32", shape: ["N", 2] });
  });
});
