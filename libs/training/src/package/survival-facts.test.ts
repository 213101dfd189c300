import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { breslowHazard } from "../baseline-hazard.ts";
import type { LabelledBag, TrainedModel } from "../job.ts";
import { type EventTime, eventOf } from "../label.ts";
import { collect, openWorld, type World, writeCohort } from "../testing/world.ts";
import { train } from "../train.ts";
import { parseTrainSpec } from "../train-spec.ts";
import { evaluateModel } from "./evaluate-model.ts";
import { loadModel } from "./load-model.ts";
import { encodeManifest } from "./manifest.ts";
import { predictBag } from "./predict-bag.ts";
import { publishModel } from "./publish-model.ts";
import { parseManifest } from "./read-manifest.ts";

const SIGNAL = new AbortController().signal;
const PREFIX = "models/risk/1";

let world: World;
let cohort: LabelledBag[];
let trained: TrainedModel;
beforeAll(async () => {
  world = await openWorld();
  const bags = await writeCohort(world.store, { nBags: 60, d: 6, seed: 4n });
  // Bags with a signal die sooner; every fourth patient is censored, and events of one time are many.
  cohort = bags.map((bag, i): LabelledBag => {
    const time = (bag.label === 1 ? 2 : 9) + (i % 5);
    const part = i < 36 ? "train" : i < 48 ? "validation" : "test";
    return { ...bag, label: { time, isEvent: i % 4 !== 2 }, part };
  });
  const spec = parseTrainSpec({
    model: { head: { kind: "gated-abmil", hidden: [8], attentionWidth: 4 }, task: { kind: "cox" } },
    epochs: 3,
    batchSize: 12,
    optimiser: { learningRate: 5e-3 },
  });
  ({ trained } = await collect(train({ spec, bags: cohort }, world.deps(), SIGNAL)));
  await publishModel(world.store, PREFIX, trained, { codeVersion: "test" });
});
afterAll(() => world.close());

const ofPart = (part: string) => cohort.filter((bag) => bag.part === part);

describe("what is published of the events of a training part", () => {
  it("is the baseline hazard of the risks that are served, and who was followed how long", async () => {
    const loaded = await loadModel(world.store, PREFIX);
    const known = ofPart("train");
    const predictions = await Promise.all(known.map(({ bag }) => predictBag(world, loaded, bag)));
    const theta = predictions.map(({ logits }) => logits[0] ?? Number.NaN);
    const times = known.map(({ label }) => eventOf(label) as EventTime);
    const expected = breslowHazard(times, theta, "efron");
    const { baseline, censoring } = loaded.manifest.survival ?? {};
    expect(baseline?.times).toEqual(expected?.times);
    // The same graph on the same bags; only runs travel in other company.
    for (const [k, hazard] of (expected?.hazards ?? []).entries()) expect(baseline?.hazards[k]).toBeCloseTo(hazard, 6);
    const censored = times.flatMap(({ time, isEvent }) => (isEvent ? [] : [time]));
    expect(censoring?.times).toEqual([...new Set(censored)].sort((a, b) => a - b));
    expect(trained.survival).toEqual(loaded.manifest.survival);
  });

  it("weighs the test part by the training part's censoring, elsewhere by the evaluated cases', and the report says whose", async () => {
    const loaded = await loadModel(world.store, PREFIX);
    const deps = { ...world, nowMs: () => performance.now() };
    const cases = ofPart("test").map(({ bag, label }, i) => ({ bag, label, patient: `p${i}` }));
    const own = await evaluateModel(deps, loaded, cases, SIGNAL);
    const training = await evaluateModel(deps, loaded, cases, SIGNAL, "training");
    expect([own.report.censoring, training.report.censoring]).toEqual(["evaluated", "training"]);
    expect(trained.test?.censoring).toBe("training");
    expect(training.report.metrics.unoCIndex?.value).toBeCloseTo(trained.test?.metrics.unoCIndex?.value ?? 0, 9);
    expect(own.report.metrics.unoCIndex?.value).not.toBe(training.report.metrics.unoCIndex?.value);
    expect(own.report.metrics.cIndex?.value).toBe(training.report.metrics.cIndex?.value);
    // 0.25 is a forecast of one half for everybody.
    expect(training.report.metrics.integratedBrier?.value).toBeLessThan(0.25);
    expect(training.report.metrics.integratedBrier?.value).toBeCloseTo(
      trained.test?.metrics.integratedBrier?.value ?? Number.NaN,
      7,
    );
    // An older package cannot say.
    const { survival: _, ...old } = loaded.manifest;
    const untold = await evaluateModel(deps, { ...loaded, manifest: old }, cases, SIGNAL, "training");
    const { integratedBrier, ...ranked } = own.report.metrics;
    expect(integratedBrier?.value).toBeGreaterThan(0);
    expect(untold.report).toEqual({ ...own.report, metrics: ranked });
  });

  it("may be absent, and is read strictly", async () => {
    const { manifest } = await loadModel(world.store, PREFIX);
    const { survival, ...old } = manifest;
    expect(parseManifest(encodeManifest(old))).toEqual(old);
    expect(parseManifest(encodeManifest(manifest))).toEqual(manifest);
    const wrong = { ...manifest, survival: { baseline: { times: [2, 1], hazards: [1, 2] } } };
    expect(() => parseManifest(encodeManifest(wrong))).toThrow(
      "survival.hazards has 2 values at 2 times; times ascend",
    );
    expect(survival?.baseline?.times.length).toBeGreaterThan(4);
  });
});
