import { type BagRef, readBag, writeBag } from "@parfocal/bags";
import { createRng } from "@parfocal/metrics";
import { parseTask } from "@parfocal/models";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LabelledBag, TrainedModel, TrainJob } from "./job.ts";
import type { Label } from "./label.ts";
import { evaluateModel } from "./package/evaluate-model.ts";
import { type LoadedModel, loadModel } from "./package/load-model.ts";
import { predictBag } from "./package/predict-bag.ts";
import { predictPatient } from "./package/predict-patient.ts";
import { publishModel } from "./package/publish-model.ts";
import { poolLogits } from "./pool-logits.ts";
import { createKeyedLock } from "./reembed/keyed-lock.ts";
import { reembedBag } from "./reembed/reembed-bag.ts";
import { weightBytes } from "./testing/tiny-model.ts";
import { collect, openWorld, type World } from "./testing/world.ts";
import { train } from "./train.ts";
import { parseTrainSpec } from "./train-spec.ts";

// Several slides per patient, by each rule.

const SIGNAL = new AbortController().signal;
const D = 4;
const TASK = { kind: "ordinal", classes: ["low", "mid", "high"] };
const HEAD = { kind: "gated-abmil", hidden: [4], attentionWidth: 3, dropout: 0.2 };

let world: World;
/** Two or three slides of each of 20 patients, and one bag of all of their tiles. */
const slides: LabelledBag[] = [];
const whole: LabelledBag[] = [];

beforeAll(async () => {
  world = await openWorld();
  for (let p = 0; p < 20; p++) {
    const rng = createRng(5n).fork(`patient ${p}`);
    const [label, patient] = [p % 3, `p${p}`];
    const tiles = Array.from({ length: 2 + (p % 2) }, () =>
      Array.from({ length: (3 + rng.nextInt(5)) * D }, (_, i) => rng.normal() + (i % D === 0 ? 3 * label : 0)),
    );
    for (const each of tiles) slides.push({ bag: await bagOf(each), label, patient });
    whole.push({ bag: await bagOf(tiles.flat()), label, patient });
  }
});
afterAll(() => world.close());

function bagOf(values: readonly number[]): Promise<BagRef> {
  const features = { dtype: "F32", data: Float32Array.from(values) } as const;
  return writeBag(world.store, "bags/", { n: values.length / D, d: D, features, metadata: {} });
}

async function trained(bags: readonly LabelledBag[], fields: Record<string, unknown>): Promise<TrainedModel> {
  const spec = parseTrainSpec({
    model: { standardise: true, head: HEAD, task: TASK },
    ...{
      epochs: 4,
      batchSize: 2,
      optimiser: { learningRate: 0.02 },
      split: { validationFraction: 0.2, testFraction: 0.25 },
    },
    ...fields,
  });
  return (await collect(train({ spec, bags }, world.deps(), SIGNAL))).trained;
}

async function served(kind: string, fields: Record<string, unknown> = {}, prefix = `models/${kind}`) {
  const model = await trained(slides, { groups: { kind }, ...fields });
  await publishModel(world.store, prefix, model, { codeVersion: "test" });
  return { model, loaded: await loadModel(world.store, prefix) };
}

async function reembedded(loaded: LoadedModel, ref: BagRef): Promise<BagRef> {
  const runs = reembedBag({ ...world, lock: createKeyedLock() }, loaded, ref, SIGNAL);
  for (;;) {
    const step = await runs.next();
    if (step.done === true) return step.value;
  }
}

/** The rows of bags as one bag of the same encoder. */
async function joinedBag(refs: readonly BagRef[], encoder: string): Promise<BagRef> {
  const all: number[] = [];
  for (const ref of refs) all.push(...(await readBag(world.store, ref)).features.data);
  const d = refs[0]?.d ?? 0;
  const features = { dtype: "F32", data: Float32Array.from(all) } as const;
  return writeBag(world.store, "bags/", { n: all.length / d, d, features, metadata: { encoder } });
}

/** Runs a training until its checkpoint of epoch 2. @throws What a training throws that is cancelled. */
async function cutOff(job: TrainJob): Promise<void> {
  const cut = new AbortController();
  for await (const event of train(job, world.deps(), cut.signal)) {
    if (event.kind === "checkpoint" && event.epoch === 2) cut.abort();
  }
}

const FIRST = () => slides.slice(0, 2).map(({ bag }) => bag);

describe("slides that are joined", () => {
  it("train the very weights of bags that hold all tiles, and are decided as these", async () => {
    // Not standardised: moments of slides added up are those of the whole bag but for the last bits.
    const plain = { model: { head: HEAD, task: TASK } };
    const { model, loaded } = await served("joined", plain);
    const alike = await trained(whole, plain);
    expect(weightBytes(model)).toEqual(weightBytes(alike));
    expect(model.history.map(({ validationLoss }) => validationLoss)).toEqual(
      alike.history.map(({ validationLoss }) => validationLoss),
    );
    expect(model.test?.metrics).toEqual(alike.test?.metrics);
    const together = await predictPatient(world, loaded, FIRST(), SIGNAL);
    const one = await predictBag(world, loaded, whole[0]?.bag as BagRef);
    expect(together.answer).toEqual(one.answer);
    expect(together.decision).toEqual(one.decision);
    const patients = new Set(alike.testPredictions.map(({ index }) => whole[index]?.patient));
    const tested = slides.filter((bag): bag is LabelledBag & { patient: string } => patients.has(bag.patient));
    expect(model.test?.groups).toEqual({ nBags: tested.length });
    const evaluated = await evaluateModel({ ...world, nowMs: () => 0 }, loaded, tested, SIGNAL);
    expect(evaluated.scores).toHaveLength(tested.length);
    expect(evaluated.report).toMatchObject({ nCases: patients.size, groups: { nBags: tested.length } });
    expect(evaluated.report.metrics.quadraticKappa?.value).toBe(model.test?.metrics.quadraticKappa?.value);
    expect(together.answer).not.toEqual((await predictBag(world, loaded, FIRST()[0] as BagRef)).answer);
  });

  const REEMBEDDERS = {
    roformer: { kind: "roformer", width: 8, heads: 2, mlpRatio: 1, rotary: "none", dropout: 0.2 },
    r2t: { kind: "r2t", stemWidth: 8, heads: 2, crmsaHeads: 2, regionNum: 2 },
  };

  it.each(Object.entries(REEMBEDDERS))(
    "go through %s one by one, and the head sees their rows",
    async (name, reembed) => {
      const { model, loaded } = await served(
        "joined",
        { model: { standardise: true, reembed, head: HEAD, task: TASK } },
        `models/${name}`,
      );
      expect(model.history.at(-1)?.trainLoss).toBeLessThan(model.history[0]?.trainLoss ?? Number.NaN);
      const together = await predictPatient(world, loaded, FIRST(), SIGNAL);

      // Re-embedded each by itself, as the stage before would, then joined: all of them, or some.
      const rows: BagRef[] = [];
      for (const ref of FIRST()) rows.push(await reembedded(loaded, ref));
      expect((await predictPatient(world, loaded, rows, SIGNAL)).answer).toEqual(together.answer);
      const mixed = [rows[0] as BagRef, ...FIRST().slice(1)];
      expect((await predictPatient(world, loaded, mixed, SIGNAL)).answer).toEqual(together.answer);

      // Rows written end to end by hand, and tiles that see each other, which is something else.
      const { encoder } = loaded.reembed ?? { encoder: "" };
      const byHand = await joinedBag(rows, encoder);
      expect((await predictBag(world, loaded, byHand)).answer).toEqual(together.answer);
      expect((await predictBag(world, loaded, whole[0]?.bag as BagRef)).answer).not.toEqual(together.answer);

      // A joined bag stands for a patient, in their order.
      const patients = new Set(model.testPredictions.map(({ index }) => whole[index]?.patient));
      const tested = slides.filter((bag): bag is LabelledBag & { patient: string } => patients.has(bag.patient));
      const { report } = await evaluateModel({ ...world, nowMs: () => 0 }, loaded, tested, SIGNAL);
      expect(report.metrics.quadraticKappa?.value).toBe(model.test?.metrics.quadraticKappa?.value);
      expect(world.engine.stats().residentTensors).toBe(0);
    },
  );

  it("train behind a re-embedder that is frozen at first, several patients an update, and go on from a checkpoint", async () => {
    const spec = parseTrainSpec({
      model: { reembed: REEMBEDDERS.roformer, head: HEAD, task: { kind: "cox" } },
      ...{ epochs: 3, batchSize: 6, frozenEpochs: 1, selection: "last", groups: { kind: "joined" } },
    });
    const bags = slides.map(
      (bag): LabelledBag => ({ ...bag, label: { time: 1 + Number(bag.patient?.slice(1)), isEvent: true } }),
    );
    const straight = await collect(train({ spec, bags }, world.deps(), SIGNAL));
    const job = { spec, bags, checkpointKey: "checkpoints/joined" };
    await expect(cutOff(job)).rejects.toThrow();
    const resumed = await collect(train(job, world.deps(), SIGNAL));
    expect(weightBytes(resumed.trained)).toEqual(weightBytes(straight.trained));
    expect(straight.trained.history.every(({ trainLoss }) => Number.isFinite(trainLoss))).toBe(true);
  });
});

describe.each(["mean", "max"] as const)("the %s of slides", (kind) => {
  it("trains on patients, and Predict and Evaluate decide patients the same way", async () => {
    const { model, loaded } = await served(kind);
    expect(model.history.at(-1)?.trainLoss).toBeLessThan(model.history[0]?.trainLoss ?? Number.NaN);
    const alone = [];
    for (const ref of FIRST()) alone.push(await predictBag(world, loaded, ref));
    const task = parseTask(TASK);
    const { logits } = poolLogits(
      task,
      kind,
      alone.map((each) => each.logits),
    );
    const together = await predictPatient(world, loaded, FIRST(), SIGNAL);
    expect(together.logits).toEqual(logits);
    expect(together.answer.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 9);

    const patients = new Set(model.testPredictions.map(({ index }) => slides[index]?.patient));
    expect(model.test).toMatchObject({ nCases: patients.size, groups: { nBags: model.testPredictions.length } });
    const tested = slides.filter((bag): bag is LabelledBag & { patient: string } => patients.has(bag.patient));
    const { report } = await evaluateModel({ ...world, nowMs: () => 0 }, loaded, tested, SIGNAL);
    expect(report.metrics.quadraticKappa?.value).toBe(model.test?.metrics.quadraticKappa?.value);
  });
});

describe("Cox's likelihood", () => {
  const HEADS = {
    mean: { kind: "mean" },
    "max of embeddings": { kind: "max" },
    "max of instances": { kind: "max", level: "instance" },
    abmil: { kind: "abmil", attentionWidth: 3 },
    "class attention": { kind: "class-attention", attentionWidth: 4, heads: 2 },
    dsmil: { kind: "dsmil", queryWidth: 3 },
    transmil: { kind: "transmil", heads: 2, landmarks: 4, convTaps: 5 },
    dtfd: { kind: "dtfd", attentionWidth: 3 },
  } as const;
  /** The higher the class, the sooner the event; every fifth patient is censored. */
  const events = () =>
    whole.map(
      (bag, i): LabelledBag => ({ ...bag, label: { time: 9 - 3 * (i % 3) + (i % 4) / 9, isEvent: i % 5 > 0 } }),
    );
  const specOf = (head: Record<string, unknown>) => ({
    model: { standardise: true, head: { hidden: [4], ...head }, task: { kind: "cox" } },
    batchSize: 8,
    split: { validationFraction: 0, testFraction: 0 },
  });

  it.each(Object.entries(HEADS))("is learnt by %s", async (_name, head) => {
    const { history } = await trained(events(), { ...specOf(head), epochs: 6, selection: "last" });
    expect(history.every(({ trainLoss }) => Number.isFinite(trainLoss))).toBe(true);
    expect(history.at(-1)?.trainLoss).toBeLessThan(history[0]?.trainLoss ?? Number.NaN);
  });

  it("goes on from a checkpoint with the same bits", async () => {
    const spec = (epochs: number) =>
      parseTrainSpec({ ...specOf(HEAD), epochs, selection: "last", optimiser: { learningRate: 0.02 } });
    const straight = await collect(train({ spec: spec(4), bags: events() }, world.deps(), SIGNAL));
    const job = { spec: spec(4), bags: events(), checkpointKey: "checkpoints/cox" };
    await expect(cutOff(job)).rejects.toThrow();
    const resumed = await collect(train(job, world.deps(), SIGNAL));
    expect(resumed.events[0]).toMatchObject({ kind: "split", resumedFrom: 2 });
    expect(weightBytes(resumed.trained)).toEqual(weightBytes(straight.trained));
  });
});

describe("patients", () => {
  it("of a model without a rule are refused", async () => {
    const model = await trained(slides, {});
    await publishModel(world.store, "models/none", model, { codeVersion: "test" });
    const loaded = await loadModel(world.store, "models/none");
    await expect(predictPatient(world, loaded, FIRST(), SIGNAL)).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
    expect(await predictPatient(world, loaded, FIRST().slice(0, 1), SIGNAL)).toHaveProperty("answer");
  });
});

describe("pooled logits", () => {
  const REGRESSION = parseTask({ kind: "regression", classes: ["a", "b"] });

  it("are means, or of each logit the greatest, of equals the first", () => {
    const bags = [
      [1, 5],
      [3, 5],
    ];
    expect(poolLogits(REGRESSION, "mean", bags)).toEqual({
      logits: [2, 5],
      shares: [
        [0.5, 0.5],
        [0.5, 0.5],
      ],
    });
    expect(poolLogits(REGRESSION, "max", bags)).toEqual({
      logits: [3, 5],
      shares: [
        [0, 1],
        [1, 0],
      ],
    });
  });

  it("of two competing classes are those of the most positive bag", () => {
    const binary = parseTask({ kind: "binary", classes: ["no", "yes"] });
    expect(
      poolLogits(binary, "max", [
        [5, 6],
        [0, 4],
        [9, 0],
      ]).logits,
    ).toEqual([0, 4]);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ["smoothing without classes", { labelSmoothing: 0.1 }, "labelSmoothing is 0.1; a cox task takes 0"],
    ["class weights without classes", { classWeights: "balanced" }, "classWeights is balanced; a cox task takes none"],
    [
      "AUROC of risks",
      { selectionMetric: "auroc" },
      "selectionMetric is auroc; a cox task takes task (c_index) or loss",
    ],
    ["one patient per update", { batchSize: 1 }, "batchSize is 1; a cox task takes 2 or more patients"],
  ])("and recipes that make no sense for a task are refused: %s", async (_name, fields, message) => {
    const model = { head: HEAD, task: { kind: "cox" } };
    const events = slides.map((bag): LabelledBag => ({ ...bag, label: { time: 1, isEvent: true } satisfies Label }));
    await expect(trained(events, { model, batchSize: 4, ...fields })).rejects.toThrow(message);
  });

  it("are not for the head that sorts tiles by the label of their own bag", async () => {
    const model = { head: { kind: "clam", hidden: [4] }, task: { kind: "multiclass", classes: ["a", "b", "c"] } };
    await expect(trained(slides, { model, groups: { kind: "mean" } })).rejects.toThrow("the head clam sorts the tiles");
  });
});
