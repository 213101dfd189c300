import { createRandomWords, type HostTensor, type TensorSource } from "@parfocal/engine";
import { createRng } from "@parfocal/metrics";
import { buildModel, captureAggregate, initialiseParameters, type Model } from "@parfocal/models";
import { type CaptureOptions, type ConstantTensor, captureGraph, runEagerly } from "@parfocal/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { flatLayout, flattenWeights } from "./flat-layout.ts";
import { floatsFromHostTensor, hostTensorFromFloats } from "./host-tensor.ts";
import { createOptimiser } from "./optimiser.ts";
import { parseOptimiser } from "./optimiser-config.ts";
import { logitsBuild, momentsBuild, trainStepBuild } from "./step-graphs.ts";
import { encodeTarget } from "./target.ts";
import { filler } from "./testing/filler.ts";
import { RULES } from "./testing/optimisers.ts";
import { openWorld, type World } from "./testing/world.ts";

const D = 24;
const TASK = { kind: "binary", classes: ["no", "yes"] };

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

/** Feeds of a graph as host tensors; `u16` ports get words of the engine's own generator. */
type Feeds = Record<
  string,
  { readonly shape: readonly number[]; readonly data: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> }
>;

async function runCaptured(options: CaptureOptions, feeds: Feeds): Promise<Record<string, Float32Array>> {
  const graph = captureGraph(options);
  const sources = Object.entries(feeds).map(([name, { shape, data }]): [string, TensorSource] => {
    const tensor: HostTensor =
      data instanceof Float32Array
        ? hostTensorFromFloats(shape, data)
        : { dtype: "u16", shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
    return [name, { kind: "inline", tensor }];
  });
  const fetches = Object.fromEntries(graph.outputs.map(({ name }) => [name, { kind: "inline" } as const]));
  const [result] = await world.engine.run([{ graph, feeds: Object.fromEntries(sources), fetches }]);
  const outputs = Object.entries(result?.outputs ?? {});
  return Object.fromEntries(outputs.map(([name, tensor]) => [name, floatsFromHostTensor(tensor, name)]));
}

function runEager(options: CaptureOptions, feeds: Feeds): Record<string, Float32Array> {
  const tensors = Object.entries(feeds).map(([name, { shape, data }]): [string, ConstantTensor] => [
    name,
    data instanceof Float32Array ? { dtype: "f32", shape, data } : { dtype: "i32", shape, data: Int32Array.from(data) },
  ]);
  const outputs = Object.entries(runEagerly(options, Object.fromEntries(tensors)));
  return Object.fromEntries(outputs.map(([name, { data }]) => [name, Float32Array.from(data)]));
}

/** Largest difference, relative to the largest expected value. */
function distance(found: Float32Array | undefined, expected: Float32Array): number {
  expect(found).toHaveLength(expected.length);
  const scale = Math.max(1e-6, ...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(value - (found?.[i] ?? Number.NaN)))) / scale;
}

function bagFeeds(model: Model, nTiles: number): Feeds {
  const features = { shape: [nTiles, D], data: filler([nTiles, D], 5, 2) };
  const words = model.dropoutSites.map((site, i) => {
    const shape = site.shape.map((dim) => (typeof dim === "number" ? dim : nTiles));
    const data = createRandomWords({ seed: 3n, stream: BigInt(i), shape });
    return [`random.${site.name}`, { shape, data }] as const;
  });
  return { features, ...Object.fromEntries(words) };
}

function stateFeeds(model: Model): Feeds {
  const layout = flatLayout(model.parameters);
  const weights = flattenWeights(layout.trainable, initialiseParameters(model.parameters, createRng(4n)));
  const fixed = Float32Array.of(...filler([D], 21), ...filler([D], 22).map((value) => 1 + value));
  const state = { weights: { shape: [layout.nTrainable], data: weights } };
  return layout.nFixed === 0 ? state : { ...state, fixed: { shape: [layout.nFixed], data: fixed } };
}

const HEADS = [
  { kind: "mean" },
  { kind: "max" },
  { kind: "max", level: "instance" },
  { kind: "abmil", attentionWidth: 8 },
  { kind: "gated-abmil", attentionWidth: 8 },
  { kind: "gated-abmil", attentionWidth: 8, branches: "per-class" },
];

describe.each(HEADS)("the captured training step of %j", (head) => {
  const model = buildModel({ dIn: D, standardise: true, head: { hidden: [16, 12], ...head }, task: TASK });
  const { nTrainable } = flatLayout(model.parameters);

  it.each(RULES)("equals the eager step, updated by %s", async (_rule, rule) => {
    const config = parseOptimiser({ ...rule, learningRate: 0.01, weightDecay: 0.01 });
    const optimiser = createOptimiser(config);
    const slots = optimiser.slotNames.map((name, i) => {
      const data = filler([nTrainable], 60 + i, 0.1).map(Math.abs);
      return [`slot.${name}`, { shape: [nTrainable], data }] as const;
    });
    const target = encodeTarget(model.config.task, 1, { labelSmoothing: 0.1, classWeights: [1, 2] });
    const feeds: Feeds = {
      ...bagFeeds(model, 9),
      ...stateFeeds(model),
      ...Object.fromEntries(slots),
      target: { shape: [2, model.nLogits], data: target },
      hyper: { shape: [optimiser.nHyper], data: optimiser.hyper(3, config.learningRate) },
    };
    const options = trainStepBuild(model, optimiser);
    const [found, expected] = [await runCaptured(options, feeds), runEager(options, feeds)];
    expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, values] of Object.entries(expected)) expect(distance(found[name], values)).toBeLessThan(1e-5);
  });
});

describe("graphs with a free number of tiles", () => {
  const head = { kind: "gated-abmil", hidden: [16], attentionWidth: 8 };
  const model = buildModel({ dIn: D, head, task: TASK });
  const optimiser = createOptimiser(parseOptimiser({}));
  const sizes = [1, 2, 63, 64, 65, 1000, 4097];

  it("are the same bytes whatever is trained on them", () => {
    const again = captureGraph(trainStepBuild(buildModel(model.config), createOptimiser(optimiser.config)));
    expect(again.digest).toBe(captureGraph(trainStepBuild(model, optimiser)).digest);
  });

  it.each(sizes)("give the eager logits and moments of %i tiles", async (n) => {
    const { features } = bagFeeds(model, n);
    const state = stateFeeds(model);
    for (const [options, feeds] of [
      [logitsBuild(model), { ...(features && { features }), ...state }],
      [momentsBuild(model), { ...(features && { features }) }],
    ] as const) {
      const [found, expected] = [await runCaptured(options, feeds), runEager(options, feeds)];
      for (const [name, values] of Object.entries(expected)) expect(distance(found[name], values)).toBeLessThan(2e-5);
    }
  });

  it.each(sizes)("serve attention of %i tiles that sums to one, from f32 and f16 features alike", async (n) => {
    const weights = initialiseParameters(model.parameters, createRng(4n));
    const halves = Float16Array.from(filler([n, D], 5, 2));
    const features: Record<"f32" | "f16", HostTensor> = {
      f32: hostTensorFromFloats([n, D], Float32Array.from(halves)),
      f16: { dtype: "f16", shape: [n, D], data: new Uint8Array(halves.buffer) },
    };
    const results = await world.engine.run(
      (["f32", "f16"] as const).map((featureType) => ({
        graph: captureAggregate(model, weights, { featureType }),
        feeds: { features: { kind: "inline", tensor: features[featureType] } },
        fetches: { attention: { kind: "inline" }, probabilities: { kind: "inline" } },
      })),
    );
    const [wide, half] = results.map(({ outputs }) => floatsFromHostTensor(outputs.probabilities, "probabilities"));
    const attention = floatsFromHostTensor(results[0]?.outputs.attention, "attention");
    expect(attention).toHaveLength(n);
    expect(attention.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 4);
    expect((wide?.[0] ?? 0) + (wide?.[1] ?? 0)).toBeCloseTo(1, 6);
    expect(half).toEqual(wide);
  });
});
