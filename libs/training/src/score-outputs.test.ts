import { type BagRef, writeBag } from "@parfocal/bags";
import type { Engine } from "@parfocal/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostTensorFromFloats } from "./host-tensor.ts";
import type { LabelledBag, Part } from "./job.ts";
import { evaluateModel } from "./package/evaluate-model.ts";
import { type LoadedModel, loadModel } from "./package/load-model.ts";
import { predictBag } from "./package/predict-bag.ts";
import { publishModel } from "./package/publish-model.ts";
import { scoreFrom } from "./score-outputs.ts";
import { collect, openWorld, type World, writeCohort } from "./testing/world.ts";
import { train } from "./train.ts";
import { parseTrainSpec } from "./train-spec.ts";

const SIGNAL = new AbortController().signal;
const PREFIX = "models/tumour/1";
const TASK = { kind: "binary", classes: ["benign", "tumour"], link: "softmax" } as const;
const SPEC = parseTrainSpec({
  model: { head: { kind: "gated-abmil", hidden: [16], attentionWidth: 8 }, task: TASK },
  epochs: 1,
});
const OUT_OF_RANGE = "the model's logits are NaN or infinite: the bag's features are out of range";

let world: World;
let cohort: LabelledBag[];
/** A bag of finite features whose products are not. */
let huge: BagRef;
let loaded: LoadedModel;

beforeAll(async () => {
  world = await openWorld();
  cohort = await writeCohort(world.store, { nBags: 12, d: 8, seed: 1n });
  const data = Float32Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? 3e38 : -3e38));
  huge = await writeBag(world.store, "bags/", { n: 2, d: 8, features: { dtype: "F32", data }, metadata: {} });
  const { trained } = await collect(train({ spec: SPEC, bags: cohort }, world.deps(), SIGNAL));
  await publishModel(world.store, PREFIX, trained, { codeVersion: "test" });
  loaded = await loadModel(world.store, PREFIX);
});

afterAll(() => world.close());

describe("a score that is not finite", () => {
  const outputs = (logits: readonly number[], probabilities: readonly number[]) => ({
    logits: hostTensorFromFloats([2], Float32Array.from(logits)),
    probabilities: hostTensorFromFloats([2], Float32Array.from(probabilities)),
  });

  it.each([
    ["NaN among the logits", [0, Number.NaN], [0.5, 0.5]],
    ["an infinite logit", [Number.POSITIVE_INFINITY, 0], [1, 0]],
    ["NaN in the answer alone", [1, 0], [Number.NaN, 0.5]],
  ] as const)("is none: %s", (_what, logits, probabilities) => {
    const bad = outputs(logits, probabilities);
    expect(() => scoreFrom(TASK, bad)).toThrow(expect.objectContaining({ code: "NON_FINITE", message: OUT_OF_RANGE, details: {} }) as Error); // biome-ignore format: one line
    const named = { code: "NON_FINITE", message: `bag 7: ${OUT_OF_RANGE}`, details: { field: "bags[7]" } };
    expect(() => scoreFrom(TASK, bad, 7)).toThrow(expect.objectContaining(named) as Error);
  });

  it("refuses no finite one, however large", () => {
    const largest = Math.fround(3.4e38);
    expect(scoreFrom(TASK, outputs([largest, -largest], [1, 0]), 7)).toEqual({ logits: [largest, -largest], answer: [1, 0] }); // biome-ignore format: one line
  });
});

describe("a bag of which the model says nothing finite", () => {
  it("is no prediction, with attention or without", async () => {
    for (const wantsAttention of [false, true]) {
      const predicted = predictBag(world, loaded, huge, { wantsAttention });
      await expect(predicted).rejects.toMatchObject({ code: "NON_FINITE", message: OUT_OF_RANGE });
    }
  });

  it("is no prediction when only its attention is not finite", async () => {
    const run: Engine["run"] = async (runs, options) => {
      const results = await world.engine.run(runs, options);
      return results.map((result) => {
        const attention = hostTensorFromFloats([1, 1], Float32Array.of(Number.NaN));
        return { ...result, outputs: { ...result.outputs, ...("attention" in result.outputs && { attention }) } };
      });
    };
    const deps = { store: world.store, engine: { ...world.engine, run } };
    const ref = cohort[0]?.bag ?? huge;
    await expect(predictBag(deps, loaded, ref)).resolves.toMatchObject({ decision: [expect.any(String)] });
    await expect(predictBag(deps, loaded, ref, { wantsAttention: true })).rejects.toMatchObject({
      code: "NON_FINITE",
      message: "the model's attention is NaN or infinite: the bag's features are out of range",
    });
  });

  it("is named by its place in an evaluation", async () => {
    const bags = cohort.map((each, i) => ({ ...each, patient: `p${i}`, ...(i === 5 && { bag: huge }) }));
    await expect(evaluateModel({ ...world, nowMs: () => 0 }, loaded, bags, SIGNAL)).rejects.toMatchObject({
      code: "NON_FINITE",
      message: `bag 5: ${OUT_OF_RANGE}`,
      details: { field: "bags[5]" },
    });
  });

  it("is named by its place in the test part of a training", async () => {
    const parts: readonly Part[] = ["train", "train", "validation", "test"];
    const bags = cohort.map((each, i) => ({
      ...each,
      part: parts[(i >> 1) % 4] ?? "train",
      ...(i === 7 && { bag: huge }),
    }));
    const run = collect(train({ spec: SPEC, bags }, world.deps("named"), SIGNAL));
    await expect(run).rejects.toMatchObject({
      code: "NON_FINITE",
      message: `bag 7: ${OUT_OF_RANGE}`,
      details: { field: "bags[7]" },
    });
  });
});
