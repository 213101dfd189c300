import { readBag, writeBag } from "@parfocal/bags";
import { parseTask } from "@parfocal/models";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assignParts, patientsOf } from "./assign-parts.ts";
import { assertGroupsFit, groupBags, learningBag, logitsOfGroup, plainLoss } from "./bag-groups.ts";
import type { LabelledBag, TrainedModel, TrainJob } from "./job.ts";
import { evaluateModel } from "./package/evaluate-model.ts";
import { loadModel } from "./package/load-model.ts";
import { publishModel } from "./package/publish-model.ts";
import { filler } from "./testing/filler.ts";
import { weightBytes } from "./testing/tiny-model.ts";
import { collect, openWorld, type World, writeCohort } from "./testing/world.ts";
import { train } from "./train.ts";
import { type GroupRule, parseTrainSpec, type TrainSpec } from "./train-spec.ts";

const SINGLE = parseTask({ kind: "binary", classes: ["no", "yes"], link: "sigmoid" });
const MIN: GroupRule = { kind: "min-loss", negatives: "min" };
const MAX: GroupRule = { kind: "min-loss", negatives: "max" };

describe("the numbers of F24 (M11)", () => {
  const logits = [0.4, -1.3, 2.1];
  const lossesOf = (label: number) => logits.map((z) => plainLoss(SINGLE, label, [z]));

  it.each([
    [1, [0.51301525, 1.54100845, 0.11551952], 2],
    [0, [0.91301525, 0.24100845, 2.21551952], 1],
  ])("losses of label %i and the bag that learns", (label, expected, winner) => {
    const losses = lossesOf(label);
    for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(expected[i] ?? Number.NaN, 7);
    expect(learningBag([10, 11, 12], losses, MIN, label)).toBe(10 + winner);
  });

  it("takes the hardest of negatives when told, and of positives still the easiest", () => {
    expect(learningBag([0, 1, 2], lossesOf(0), MAX, 0)).toBe(2);
    expect(learningBag([0, 1, 2], lossesOf(1), MAX, 1)).toBe(2);
  });

  it("takes the first among equals", () => {
    for (const rule of [MIN, MAX]) {
      expect(learningBag([4, 7, 9], [0.5, 0.5, 0.5], rule, 1)).toBe(4);
      expect(learningBag([4, 7, 9], [0.7, 0.5, 0.5], rule, 1)).toBe(7);
    }
    expect(logitsOfGroup(SINGLE, MIN, [[1], [2], [1.5]])).toEqual([2]);
  });
});

describe("groups", () => {
  it("are the bags of a patient that name the same group, in the order of their first bags", () => {
    const bags = [
      { patient: "p1", group: "a" },
      { patient: "p2", group: "a" },
      { patient: "p1", group: "b" },
      { patient: "p1", group: "a" },
      { patient: "p3" },
      {},
      { patient: "p3" },
      { group: "c" },
      {},
      { group: "c" },
    ];
    const rows = [...bags.keys()];
    expect(groupBags(bags, rows, MIN)).toEqual([[0, 3], [1], [2], [4, 6], [5], [7, 9], [8]]);
    expect(groupBags(bags, rows, undefined)).toEqual(rows.map((row) => [row]));
    expect(new Set(patientsOf(bags)).size).toBe(6);
  });

  it("must have one label, in a binary task", () => {
    expect(() => assertGroupsFit(SINGLE, MIN, [[0, 1], [2]], [1, 1, 0])).not.toThrow();
    expect(() => assertGroupsFit(SINGLE, MIN, [[0, 1, 2]], [1, 1, 0])).toThrow(
      "a group of 3 bags has the labels 1 and 0; it must have one",
    );
  });

  it("stay in one part, with and without a patient", () => {
    const bags = Array.from({ length: 60 }, (_, i): LabelledBag => {
      const key = Math.floor(i / 3);
      const bag = { ...stub.bag, digest: `${i}` };
      return { bag, label: key % 2, group: `g${key}`, ...(key % 4 < 2 && { patient: `p${key}` }) };
    });
    const split = assignParts(bags, specOf({ split: {} }));
    for (const part of [split.train, split.validation, split.test]) {
      expect(part.length).toBeGreaterThan(0);
      for (const row of part) expect(part).toContain(row - (row % 3));
    }
  });
});

const stub = { bag: { key: "", digest: "", sizeBytes: 0, n: 1, d: 8, dtype: "F32", hasCoords: false } } as const;

const SIGNAL = new AbortController().signal;
const HEAD = { kind: "gated-abmil", hidden: [6], attentionWidth: 4 };
const STILL = { ...HEAD, dropout: 0, attentionDropout: 0 };
const TASK = { kind: "binary", classes: ["no", "yes"] };

let world: World;
let cohort: LabelledBag[];

beforeAll(async () => {
  world = await openWorld();
  cohort = await writeCohort(world.store, { nBags: 60, d: 8, seed: 1n });
});

afterAll(() => world.close());

function specOf(change: Record<string, unknown> = {}): TrainSpec {
  const split = { validationFraction: 0, testFraction: 0 };
  const optimiser = { learningRate: 5e-3 };
  return parseTrainSpec({ model: { head: HEAD, task: TASK }, epochs: 3, optimiser, split, groups: MIN, ...change });
}

async function run(spec: TrainSpec, bags: readonly LabelledBag[], more: Partial<TrainJob> = {}): Promise<TrainedModel> {
  return (await collect(train({ spec, bags, ...more }, world.deps(), SIGNAL))).trained;
}

/** A bag of 4 tiles. */
async function bagOf(seed: number, label: number, group: string, scale = 1): Promise<LabelledBag> {
  const features = { dtype: "F32", data: filler([4, 8], seed, scale) } as const;
  const bag = await writeBag(world.store, "bags/", { n: 4, d: 8, features, metadata: {} });
  return { bag, label, patient: group };
}

/** A bag of the same tiles under another slide id, which is another bag. */
async function copyOf(labelled: LabelledBag | undefined): Promise<LabelledBag | undefined> {
  if (labelled === undefined) return undefined;
  const bag = await readBag(world.store, labelled.bag);
  const copy = await writeBag(world.store, "bags/", { ...bag, metadata: { ...bag.metadata, slideId: "copy" } });
  return { ...labelled, bag: copy };
}

describe("training on groups", () => {
  it.each([
    ["min", 1],
    ["mean", 1],
    ["max", 4],
  ])("of one bag each gives the bits of plain training (negatives %s, batches of %i)", async (negatives, batchSize) => {
    const change = { batchSize, split: { testFraction: 0.2 } };
    const plain = await run(parseTrainSpec({ ...specJson(change), groups: undefined }), cohort);
    const grouped = await run(specOf({ ...change, groups: { kind: "min-loss", negatives } }), cohort);
    expect(weightBytes(grouped)).toEqual(weightBytes(plain));
    expect(grouped.history).toEqual(plain.history);
    expect(grouped.thresholds).toEqual(plain.thresholds);
    expect(grouped.test).toMatchObject({ metrics: plain.test?.metrics, groups: { nBags: plain.test?.nCases } });
  });

  function specJson(change: Record<string, unknown>) {
    const split = { validationFraction: 0, testFraction: 0 };
    return { model: { head: HEAD, task: TASK }, epochs: 3, optimiser: { learningRate: 5e-3 }, split, ...change };
  }

  it.each([
    ["min", 0],
    ["min", 1],
    ["max", 0],
  ])("moves by the bag that learns alone (negatives %s, label %i)", async (negatives, label) => {
    const groups = { kind: "min-loss", negatives };
    const spec = specOf({ model: { head: STILL, task: TASK }, epochs: 1, batchSize: 2, groups });
    const other = await bagOf(6, 1 - label, "h", 4);
    const bags = [await bagOf(3, label, "g", 4), await bagOf(5, label, "g", 4), await bagOf(8, label, "g", 4)];
    const whole = weightBytes(await run(spec, [...bags, other]));
    const alone: Buffer[] = [];
    for (const bag of bags) alone.push(weightBytes(await run(spec, [bag, other])));
    const winner = alone.findIndex((bytes) => bytes.equals(whole));
    expect(winner).toBeGreaterThanOrEqual(0);
    // The others may be anything that leaves the choice as it is: they have no gradient at all.
    const pair = bags.filter((_, i) => i === winner || i === (winner + 1) % 3);
    expect(weightBytes(await run(spec, [...pair, other]))).toEqual(whole);
  });

  it("of equal negatives moves by their mean: two are as one", async () => {
    const spec = specOf({ model: { head: STILL, task: TASK }, groups: { kind: "min-loss", negatives: "mean" } });
    const [bag, other] = [await bagOf(3, 0, "g"), await bagOf(7, 1, "h")];
    const [one, two] = [await run(spec, [bag, other]), await run(spec, [bag, bag, other])];
    for (const [name, values] of Object.entries(one.weights)) {
      for (const [i, value] of values.entries()) expect(two.weights[name]?.[i]).toBeCloseTo(value, 5);
    }
    expect(two.history[2]?.trainLoss).toBeCloseTo(one.history[2]?.trainLoss ?? 0, 5);
  });

  it("learns from positives whose signal is in one of three bags", async () => {
    // In every group of label 1 one bag has the signal and two have none; groups of label 0 have none at all.
    const groups = Array.from({ length: 20 }, (_, g) => g);
    // The same tiles stand in a group of label 0 too, as a bag of its own: nothing but the signal tells positives apart.
    const copies = await Promise.all(groups.map(async (g) => copyOf(cohort[2 * g + 2])));
    const bags = groups.flatMap((g) => {
      const members = g % 2 === 1 ? [cohort[2 * g + 1], cohort[2 * g], copies[g]] : [cohort[2 * g]];
      return members.flatMap((each) => (each ? [{ ...each, label: g % 2, patient: `g${g}` }] : []));
    });
    const spec = specOf({ epochs: 40, split: { validationFraction: 0.4, testFraction: 0 } });
    const trained = await run(spec, bags);
    expect(trained.validation?.metrics.auroc?.value).toBe(1);
    expect(trained.validation?.groups?.nBags).toBeGreaterThan(trained.validation?.nCases ?? 0);
    expect(trained.history.at(-1)?.validationAuroc).toBe(1);
  });

  it("resumes to the same bits", async () => {
    const bags = cohort
      .slice(0, 30)
      .map((bag, i): LabelledBag => ({ ...bag, patient: `p${i % 2}${Math.floor(i / 6)}` }));
    const spec = specOf({ batchSize: 3 });
    const whole = await run(spec, bags);
    const job = { spec, bags, checkpointKey: "checkpoints/groups" };
    for await (const event of train(job, world.deps(), SIGNAL)) if (event.kind === "checkpoint") break;
    expect(weightBytes((await collect(train(job, world.deps(), SIGNAL))).trained)).toEqual(weightBytes(whole));
  });

  it("is evaluated by groups, in training and after, with the same figures", async () => {
    const bags = cohort.map((bag, i): LabelledBag => ({ ...bag, patient: `p${i % 2}-${Math.floor(i / 6)}` }));
    const trained = await run(specOf({ split: { testFraction: 0.3 } }), bags);
    await publishModel(world.store, "models/groups/1", trained, { codeVersion: "test" });
    const loaded = await loadModel(world.store, "models/groups/1");
    expect(loaded.manifest.test?.groups).toMatchObject({ nBags: trained.testPredictions.length });
    expect(loaded.manifest.test?.groups?.metricsOfMeans?.auroc).toBeDefined();
    const tested = trained.testPredictions.map(({ index }) => bags[index] as LabelledBag & { patient: string });
    const { report, scores } = await evaluateModel({ ...world, nowMs: () => 0 }, loaded, tested, SIGNAL);
    expect(scores).toHaveLength(tested.length);
    expect(report.nCases).toBe(trained.test?.nCases);
    expect(report.nCases).toBe(new Set(tested.map(({ patient }) => patient)).size);
    expect(report.metrics.auroc?.value).toBe(trained.test?.metrics.auroc?.value);
    expect(report.groups?.ofMeans?.metrics.auroc?.value).toBe(trained.test?.groups?.ofMeans?.metrics.auroc?.value);
  });

  it("refuses tasks that are not binary", async () => {
    const task = { kind: "multiclass", classes: ["a", "b", "c"] };
    await expect(run(specOf({ model: { head: HEAD, task } }), cohort)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "groups.kind is min-loss, which takes a binary task; this one is multiclass",
    });
  });

  it.each([
    [{ kind: "max-loss" }, 'groups.kind is "max-loss"; it must be one of none, min-loss'],
    [{ kind: "min-loss", negatives: "all" }, 'groups.negatives is "all"; it must be one of min, mean, max'],
    [{}, "groups.kind is absent"],
  ])("refuses the rule %j", (groups, message) => {
    expect(() => specOf({ groups })).toThrow(message);
  });

  it("reads the rule `none` as no rule", () => {
    expect(specOf({ groups: { kind: "none" } })).not.toHaveProperty("groups");
  });
});
