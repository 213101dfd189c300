import { describe, expect, it } from "vitest";
import { lengthOf, pretrainLearningRate } from "./pretrain-plan.ts";
import { decisivePretrainJson, parsePretrainSpec, pretrainSpecJson } from "./pretrain-spec.ts";

describe("a pretraining's specification", () => {
  it("has a default for everything", () => {
    const spec = parsePretrainSpec({});
    expect(spec.optimiser).toEqual({
      ...{ kind: "adamw", learningRate: 1.5e-4, weightDecay: 0.05, beta1: 0.9, beta2: 0.95, epsilon: 1e-8 },
    });
    expect(spec).toMatchObject({
      batchRegions: 256,
      microBatchRegions: 32,
      warmupFraction: 0.05,
      augment: true,
      seed: 1n,
    });
    expect(spec).toMatchObject({ validationFraction: 0.1, minPresence: 0.65 });
    expect(spec.model).toMatchObject({
      mixer: { width: 384, depth: 6 },
      masked: { decoderWidth: 512, removalRatio: 0.5 },
    });
    expect(spec.totalRegions).toBeUndefined();
    expect(spec.model.contrastive).toBeUndefined();
  });

  it("is read back from what it is written as", () => {
    const json = {
      mixer: { preset: "m", regionTiles: 2 },
      contrastive: {},
      totalRegions: 5e6,
      seed: "18446744073709551615",
    };
    const spec = parsePretrainSpec(json);
    expect(parsePretrainSpec(JSON.parse(JSON.stringify(pretrainSpecJson(spec))))).toEqual(spec);
    expect(spec.model.contrastive).toMatchObject({ sourceTiles: 7, temperature: 0.1, weight: 1 });
  });

  it.each([
    [96, 32],
    [100, 25],
    [31, 31],
    [37, 1],
  ])("cuts a batch of %i into runs of %i", (batchRegions, expected) => {
    expect(parsePretrainSpec({ batchRegions }).microBatchRegions).toBe(expected);
  });

  it.each([
    [
      { batchRegions: 10, microBatchRegions: 4 },
      "pretrain.microBatchRegions is 4; it must divide pretrain.batchRegions, 10",
    ],
    [{ optimiser: { kind: "sgd" } }, 'optimiser.kind is "sgd"; it must be one of adamw'],
    [{ contrastive: {}, batchRegions: 1 }, "pretrain.batchRegions is 1; the contrastive objective needs at least 2"],
    [{ totalRegions: 0 }, "pretrain.totalRegions is 0"],
    [{ seed: -1 }, "pretrain.seed is -1; it must be a whole number in [0, 2^64)"],
    [{ epochs: 3 }, 'pretrain has an unknown field "epochs"'],
    [{ masked: { removalRatio: 1 } }, "pretrain.masked.removalRatio is 1"],
  ])("is refused when it is %j", (json, message) => {
    expect(() => parsePretrainSpec(json)).toThrow(message);
  });
});

describe("the step size (M12)", () => {
  it("rises to its peak and falls along half a cosine", () => {
    const spec = parsePretrainSpec({ batchRegions: 1024, totalRegions: 1_024_000, warmupFraction: 0.1 });
    const length = lengthOf(spec, 1);
    expect(length).toMatchObject({ nUpdates: 1000, nWarmup: 100 });
    const at = (update: number) => pretrainLearningRate(spec, length, update);
    const expected = { 0: 6e-6, 49: 3e-4, 99: 6e-4, 100: 6e-4, 550: 3e-4 };
    for (const [update, rate] of Object.entries(expected)) expect(at(Number(update))).toBeCloseTo(rate, 15);
    expect(at(999)).toBeCloseTo(1.8277e-9, 12);
  });
});

describe("the length", () => {
  it("follows from the data when nobody says", () => {
    const length = lengthOf(parsePretrainSpec({}), 1000);
    expect(length).toEqual({ nUpdates: 391, nWarmup: 20, checkpointUpdates: 20, historyUpdates: 4 });
  });

  it("ends after 50 million regions when nobody says", () => {
    const updates = (nRegions: number, change = {}) => lengthOf(parsePretrainSpec(change), nRegions).nUpdates;
    expect([499_000, 500_000, 5_000_000].map((n) => updates(n))).toEqual([194_922, 195_313, 195_313]);
    expect(updates(5_000_000, { totalRegions: 100_000_000 })).toBe(390_625);
  });

  it("is at least one update", () => {
    const length = lengthOf(parsePretrainSpec({ totalRegions: 1 }), 5);
    expect(length).toEqual({ nUpdates: 1, nWarmup: 0, checkpointUpdates: 1, historyUpdates: 1 });
  });

  it("have the identity that they had before what is off by default was there", () => {
    const of = (mixer: object) => decisivePretrainJson(parsePretrainSpec({ mixer: { levelCount: 3, ...mixer } })).mixer;
    expect(of({})).not.toHaveProperty("layerScaleInit");
    expect(of({})).not.toHaveProperty("dropPath");
    expect(of({ layerScaleInit: 0.1, dropPath: 0.2 })).toMatchObject({ layerScaleInit: 0.1, dropPath: 0.2 });
  });
});
