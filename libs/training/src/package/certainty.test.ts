import { type BagMetadata, type BagRef, writeBag } from "@parfocal/bags";
import { createRng } from "@parfocal/metrics";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LabelledBag, TrainedModel } from "../job.ts";
import { collect, openWorld, type World, writeCohort } from "../testing/world.ts";
import { train } from "../train.ts";
import { parseTrainSpec } from "../train-spec.ts";
import { evaluateModel } from "./evaluate-model.ts";
import { loadModel } from "./load-model.ts";
import { encodeManifest, type PackageGraph } from "./manifest.ts";
import { manifestKeyOf } from "./package-files.ts";
import { predictBag } from "./predict-bag.ts";
import { predictBags } from "./predict-bags.ts";
import { publishModel } from "./publish-model.ts";
import { parseManifest } from "./read-manifest.ts";

const SIGNAL = new AbortController().signal;
const D = 8;

let world: World;
let cohort: LabelledBag[];
let trained: TrainedModel;

beforeAll(async () => {
  world = await openWorld();
  // A signal that is hard to see: some validation bags are decided wrongly, so there is something to calibrate.
  cohort = await writeCohort(world.store, { nBags: 90, d: D, seed: 1n, signal: 1.5 });
  trained = await trainWith({});
  await publishModel(world.store, "models/flags/1", trained, { codeVersion: "test" });
});

afterAll(() => world.close());

async function trainWith(options: object): Promise<TrainedModel> {
  const spec = parseTrainSpec({
    model: {
      standardise: true,
      head: { kind: "gated-abmil", hidden: [16], attentionWidth: 8 },
      task: { kind: "binary", classes: ["benign", "tumour"] },
    },
    epochs: 6,
    optimiser: { learningRate: 5e-3 },
    split: { validationFraction: 0.35, testFraction: 0.2 },
    ...options,
  });
  return (await collect(train({ spec, bags: cohort }, world.deps(), SIGNAL))).trained;
}

async function writeOne(shift: number, metadata: BagMetadata = {}): Promise<BagRef> {
  const rng = createRng(99n);
  const data = Float32Array.from({ length: 12 * D }, () => shift + rng.normal());
  return writeBag(world.store, "bags/", { n: 12, d: D, features: { dtype: "F32", data }, metadata });
}

const testBag = (): BagRef => {
  const bag = cohort[trained.testPredictions[0]?.index ?? -1]?.bag;
  if (bag === undefined) throw new Error("the cohort has a test part");
  return bag;
};

describe("a prediction of a model with a validation part", () => {
  it("comes with calibrated probabilities and a set of stated coverage", async () => {
    const loaded = await loadModel(world.store, "models/flags/1");
    const { probabilities, calibrated, decision } = await predictBag(world, loaded, testBag());
    expect(loaded.manifest.calibration).toEqual(trained.calibration);
    expect(calibrated).toMatchObject({ coverage: 0.9, isClassConditional: false });
    expect(calibrated?.set?.nPatients).toBe(trained.validation?.nPatients);
    // Raw probabilities decide; a temperature keeps their order.
    const [benign = Number.NaN, tumour = Number.NaN] = probabilities;
    const [calibratedBenign, calibratedTumour] = calibrated?.probabilities ?? [];
    expect(Number(calibratedTumour) > Number(calibratedBenign)).toBe(tumour > benign);
    expect(Number(calibratedTumour) + Number(calibratedBenign)).toBeCloseTo(1, 10);
    const threshold = loaded.manifest.thresholds[0] ?? Number.NaN;
    expect(decision).toEqual([tumour >= threshold ? "tumour" : "benign"]);
  });

  it("covers the test part about as often as stated", async () => {
    const loaded = await loadModel(world.store, "models/flags/1");
    const covered = await Promise.all(
      trained.testPredictions.map(async ({ index }) => {
        const bag = cohort[index];
        if (bag === undefined) throw new Error("a test bag of the cohort");
        const { calibrated } = await predictBag(world, loaded, bag.bag);
        return calibrated?.set?.classes.includes(bag.label === 1 ? "tumour" : "benign") === true;
      }),
    );
    expect(covered).toHaveLength(18);
    // 90 % of 18 is 16; four binomial standard errors are 5.
    expect(covered.filter(Boolean).length).toBeGreaterThanOrEqual(11);
  });

  it("flags a bag unlike the training bags, with the number and the reason", async () => {
    const loaded = await loadModel(world.store, "models/flags/1");
    const usual = await predictBag(world, loaded, await writeOne(0));
    expect(usual.typicality).toMatchObject({ isUnlike: false, reason: "" });
    const { typicality } = await predictBag(world, loaded, await writeOne(5));
    expect(typicality).toMatchObject({ isUnlike: true, percentile: 100 });
    expect(typicality?.distance).toBeGreaterThan(3);
    expect(typicality?.reason).toMatch(/^the mean values of its features is \d+\.\d times as far off/u);
  });

  it("says the same by one call for many bags", async () => {
    const loaded = await loadModel(world.store, "models/flags/1");
    const refs = [testBag(), await writeOne(5)];
    const outcomes = await Array.fromAsync(predictBags(world, loaded, refs, SIGNAL));
    for (const [i, outcome] of outcomes.entries()) {
      const { engineMs, ...alone } = await predictBag(world, loaded, refs[i] ?? testBag());
      expect(engineMs).toBeGreaterThan(0);
      expect(outcome).toMatchObject({ kind: "prediction", prediction: alone });
    }
  });
});

describe("what the specification says of certainty", () => {
  it("is to refuse unlike bags, one by one and among many", async () => {
    const strict = await trainWith({ outliers: { action: "refuse" } });
    await publishModel(world.store, "models/refuses/1", strict, { codeVersion: "test" });
    const loaded = await loadModel(world.store, "models/refuses/1");
    const far = await writeOne(5);
    await expect(predictBag(world, loaded, far)).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
      details: { precondition: "TYPICAL_BAG", percentile: "100.0" },
    });
    const outcomes = await Array.fromAsync(predictBags(world, loaded, [testBag(), far, testBag()], SIGNAL));
    expect(outcomes.map(({ kind }) => kind)).toEqual(["prediction", "failure", "prediction"]);
    // Who evaluates is told of it, with what the model publishes of every other bag.
    const bags = [testBag(), far].map((bag, i) => ({ bag, label: i, patient: `evaluated ${i}` }));
    const { scores, cases } = await evaluateModel({ ...world, nowMs: () => 0 }, loaded, bags, SIGNAL);
    expect(scores.map(({ typicality }) => typicality?.isUnlike)).toEqual([false, true]);
    const alone = await predictBag(world, loaded, testBag());
    expect(scores[0]).toMatchObject({
      answer: alone.answer,
      calibrated: alone.calibrated,
      typicality: alone.typicality,
    });
    expect(cases.map(({ typicality }) => typicality)).toEqual(scores.map(({ typicality }) => typicality));
    expect(world.engine.stats().residentTensors).toBe(0);
  });

  it("is to measure nothing, and nothing is published", async () => {
    const quiet = await trainWith({
      outliers: { action: "none" },
      split: { validationFraction: 0 },
      selection: "last",
    });
    expect(quiet.typicality).toBeUndefined();
    expect(quiet.calibration).toBeUndefined();
    await publishModel(world.store, "models/quiet/1", quiet, { codeVersion: "test" });
    const prediction = await predictBag(world, await loadModel(world.store, "models/quiet/1"), testBag());
    expect(prediction).not.toHaveProperty("calibrated");
    expect(prediction).not.toHaveProperty("typicality");
  });

  it("does not move weights, thresholds or figures", async () => {
    const quiet = await trainWith({ outliers: { action: "none" }, calibration: { coverage: 0.8, score: "aps" } });
    expect(quiet.weights).toEqual(trained.weights);
    expect(quiet.thresholds).toEqual(trained.thresholds);
    expect(quiet.test).toEqual(trained.test);
    expect(quiet.calibration?.temperatures).toEqual(trained.calibration?.temperatures);
  });
});

describe("the parts", () => {
  it("give thresholds and calibration from validation alone: test labels turned around change neither", async () => {
    const { testPredictions } = trained;
    const tested = new Set(testPredictions.map(({ index }) => index));
    const fixed = cohort.map((bag, i): LabelledBag => ({ ...bag, part: tested.has(i) ? "test" : partOf(i) }));
    const turned = fixed.map(
      (bag): LabelledBag => (bag.part === "test" ? { ...bag, label: 1 - Number(bag.label) } : bag),
    );
    const [before, after] = await Promise.all([fixed, turned].map(trainOn));
    expect(after?.thresholds).toEqual(before?.thresholds);
    expect(after?.calibration).toEqual(before?.calibration);
    expect(after?.typicality).toEqual(before?.typicality);
    expect(after?.test?.metrics.auroc?.value).not.toBe(before?.test?.metrics.auroc?.value);
  });
});

const partOf = (i: number) => (i % 3 === 0 ? "validation" : "train");

async function trainOn(bags: LabelledBag[], run: number): Promise<TrainedModel> {
  return (await collect(train({ spec: trained.spec, bags }, world.deps(`run ${run}`), SIGNAL))).trained;
}

describe("a package of before there was calibration and told what it has seen", () => {
  it("loads and predicts without", async () => {
    const loaded = await loadModel(world.store, "models/flags/1");
    const { calibration, typicality, seen, ...old } = loaded.manifest;
    expect(calibration).toBeDefined();
    expect(typicality).toBeDefined();
    expect(seen).toBeDefined();
    const bytes = encodeManifest(old);
    expect(parseManifest(bytes)).toEqual(old);
    for (const { path } of [old.weights, ...(Object.values(old.graphs) as PackageGraph[])]) {
      const { bytes: file } = await world.store.get(`models/flags/1/${path}`);
      await world.store.put(`models/old/1/${path}`, file);
    }
    await world.store.put(manifestKeyOf("models/old/1"), bytes);
    const prediction = await predictBag(world, await loadModel(world.store, "models/old/1"), testBag());
    expect(prediction.probabilities).toEqual((await predictBag(world, loaded, testBag())).probabilities);
    expect(prediction.calibrated).toBeUndefined();
    expect([prediction, await predictBag(world, loaded, testBag())].map((of) => of.seen)).toEqual([
      "unknown",
      "neither",
    ]);
  });
});
