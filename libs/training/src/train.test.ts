import { readFileSync } from "node:fs";
import { writeBag } from "@parfocal/bags";
import { createRng } from "@parfocal/metrics";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { flatLayout, flattenWeights } from "./flat-layout.ts";
import type { LabelledBag, TrainEvent, TrainedModel } from "./job.ts";
import { collect, openWorld, type World, writeCohort } from "./testing/world.ts";
import { train } from "./train.ts";
import { parseTrainSpec, type TrainSpec } from "./train-spec.ts";

const SIGNAL = new AbortController().signal;
const HEAD = { kind: "gated-abmil", hidden: [16], attentionWidth: 8 };
const MODEL = { head: HEAD, task: { kind: "binary", classes: ["no", "yes"] } };
const ADAM = { kind: "adam", learningRate: 5e-3 };
const NO_TEST = { validationFraction: 0.2, testFraction: 0 };

let world: World;
let cohort: LabelledBag[];

beforeAll(async () => {
  world = await openWorld();
  cohort = await writeCohort(world.store, { nBags: 60, d: 8, seed: 1n });
});

afterAll(() => world.close());

function specOf(change: Record<string, unknown> = {}): TrainSpec {
  return parseTrainSpec({ model: MODEL, epochs: 4, optimiser: ADAM, split: NO_TEST, ...change });
}

function run(spec: TrainSpec, bags = cohort): Promise<{ events: TrainEvent[]; trained: TrainedModel }> {
  return collect(train({ spec, bags }, world.deps(), SIGNAL));
}

/** All weights as bytes: equal means bit-identical. */
function bytesOf({ model, weights }: TrainedModel): Buffer {
  const { trainable, fixed } = flatLayout(model.parameters);
  return Buffer.from(flattenWeights([...trainable, ...fixed], weights).buffer);
}

describe("training", () => {
  it("learns a planted signal well enough to rank every held-out bag", async () => {
    const { events, trained } = await run(specOf({ epochs: 15, split: { testFraction: 0.3 } }));
    expect(trained.test?.metrics.auroc?.value).toBe(1);
    expect(trained.areThresholdsFitted).toBe(true);
    expect(trained.testPredictions).toHaveLength(trained.test?.nCases ?? 0);
    expect(events[0]).toMatchObject({ kind: "split", resumedFrom: 0 });
    const epochs = events.filter((event) => event.kind === "epoch");
    expect(epochs.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 15 }, (_, i) => i + 1));
    expect(epochs.at(-1)).toMatchObject({ nEpochs: 15, etaS: 0 });
    expect(epochs.at(-1)?.trainLoss).toBeLessThan(0.2);
  });

  it.each(["mean", "max", "abmil"])("trains the %s head with less loss at the end", async (kind) => {
    const model = { ...MODEL, standardise: true, head: { kind, hidden: [16] } };
    const { trained } = await run(specOf({ model, epochs: 10 }));
    expect(trained.history.at(-1)?.trainLoss).toBeLessThan(trained.history[0]?.trainLoss ?? 0);
  });

  it("gives the same bits for the same seed and others for another", async () => {
    const [a, b, c] = [await run(specOf()), await run(specOf()), await run(specOf({ seed: 2 }))];
    expect(bytesOf(b.trained)).toEqual(bytesOf(a.trained));
    expect(b.trained.history).toEqual(a.trained.history);
    expect(bytesOf(c.trained)).not.toEqual(bytesOf(a.trained));
  });

  it("moves by the mean gradient of a batch: four equal bags of each class are as one", async () => {
    const pair = [0, 1].flatMap((label) => cohort.find((bag) => bag.label === label) ?? []);
    const copies = (n: number) =>
      pair.flatMap((bag) => Array.from({ length: n }, (): LabelledBag => ({ ...bag, part: "train" })));
    const model = { ...MODEL, head: { ...HEAD, dropout: 0, attentionDropout: 0 } };
    const one = await run(specOf({ model, epochs: 3, batchSize: 2 }), copies(1));
    const four = await run(specOf({ model, epochs: 3, batchSize: 8 }), copies(4));
    const [a, b] = [one, four].map(({ trained }) => new Float32Array(bytesOf(trained).buffer));
    for (const [i, value] of (a ?? []).entries()) expect(b?.[i]).toBeCloseTo(value, 5);
    expect(four.trained.history[2]?.trainLoss).toBeCloseTo(one.trained.history[2]?.trainLoss ?? 0, 5);
  });

  it("stops early and takes the weights of the best epoch", async () => {
    const earlyStopping = { patience: 2, metric: "loss" };
    const optimiser = { kind: "adam", learningRate: 0.3 };
    const { trained } = await run(specOf({ epochs: 60, optimiser, earlyStopping }));
    const losses = trained.history.map(({ validationLoss }) => validationLoss ?? Number.NaN);
    expect(losses.length).toBeLessThan(60);
    expect(trained.epoch).toBe(losses.indexOf(Math.min(...losses)) + 1);
    expect(trained.epoch).toBe(losses.length - 2);
  });

  it("learns labels of which some are missing", async () => {
    const model = { ...MODEL, task: { kind: "multilabel", classes: ["a", "b"] } };
    const bags = cohort.map((bag, i): LabelledBag => {
      const label = Number(bag.label);
      return { ...bag, label: [i % 3 === 0 ? null : label, 1 - label] };
    });
    const spec = specOf({ model, epochs: 12, labelSmoothing: 0.05, classWeights: "balanced" });
    const { trained } = await run(spec, bags);
    expect(trained.thresholds).toHaveLength(2);
    expect(trained.history.at(-1)?.validationAuroc).toBeGreaterThan(0.9);
  });

  it("learns one of three classes, with plateau, AdamW and batches that do not divide the part", async () => {
    const model = {
      ...MODEL,
      head: { ...HEAD, branches: "per-class" },
      task: { kind: "multiclass", classes: ["a", "b", "c"] },
    };
    const bags = await writeThreeClasses();
    const optimiser = { kind: "adamw", learningRate: 1e-2, weightDecay: 1e-2 };
    const { trained } = await run(
      specOf({ model, epochs: 20, batchSize: 5, optimiser, schedule: { kind: "plateau" } }),
      bags,
    );
    expect(trained.thresholds).toEqual([]);
    expect(trained.validation?.metrics.macroAuroc?.value).toBe(1);
  });
});

/** Bags whose class is the feature along which half of their tiles are shifted. */
async function writeThreeClasses(): Promise<LabelledBag[]> {
  const bags: LabelledBag[] = [];
  for (let i = 0; i < 45; i++) {
    const rng = createRng(5n).fork(`bag ${i}`);
    const data = Float32Array.from({ length: 80 }, (_, k) => {
      const isShifted = k % 8 === i % 3 && k < 40;
      return rng.normal() + (isShifted ? 6 : 0);
    });
    const bag = await writeBag(world.store, "bags/", { n: 10, d: 8, features: { dtype: "F32", data }, metadata: {} });
    bags.push({ bag, label: i % 3 });
  }
  return bags;
}

/** A clock by which each run takes seconds, so that each is a message of its own and an epoch has progress. */
function slowClock(): () => number {
  let nowMs = 0;
  return () => (nowMs += 2_000);
}

describe("a training that was cut off", () => {
  const spec = () => specOf({ epochs: 6, schedule: { kind: "cosine", warmupEpochs: 1 } });

  it.each([1, 3, 5])("after epoch %i goes on from its checkpoint to the same bits", async (stopAfter) => {
    const whole = await run(spec());
    const job = { spec: spec(), bags: cohort, checkpointKey: `checkpoints/after-${stopAfter}` };
    for await (const event of train(job, world.deps(), SIGNAL)) {
      if (event.kind === "checkpoint" && event.epoch === stopAfter) break;
    }
    const { events, trained } = await collect(train(job, world.deps(), SIGNAL));
    expect(events[0]).toMatchObject({ kind: "split", resumedFrom: stopAfter });
    expect(bytesOf(trained)).toEqual(bytesOf(whole.trained));
    expect(trained.history).toEqual(whole.trained.history);
  });

  it.each([
    { kind: "radam", learningRate: 5e-3, weightDecay: 0.1 },
    { kind: "radam", learningRate: 5e-3, weightDecay: 0.1, lookahead: { steps: 7, alpha: 0.5 } },
    { kind: "sgd", learningRate: 5e-3, lookahead: {} },
  ])("within a round of %j goes on to the same bits", async (optimiser) => {
    const whole = await run(specOf({ epochs: 3, optimiser }));
    const job = {
      spec: specOf({ epochs: 3, optimiser }),
      bags: cohort,
      checkpointKey: `checkpoints/${JSON.stringify(optimiser).length}`,
    };
    for await (const event of train(job, world.deps(), SIGNAL)) {
      if (event.kind === "checkpoint" && event.epoch === 1) break;
    }
    const { events, trained } = await collect(train(job, world.deps(), SIGNAL));
    expect(events[0]).toMatchObject({ kind: "split", resumedFrom: 1 });
    expect(bytesOf(trained)).toEqual(bytesOf(whole.trained));
    expect(trained.history).toEqual(whole.trained.history);
    expect(trained.history[2]?.trainLoss).toBeLessThan(trained.history[0]?.trainLoss ?? 0);
  });

  it("by its signal within an epoch says so and goes on to the same bits", async () => {
    const whole = await run(spec());
    const job = { spec: spec(), bags: cohort, checkpointKey: "checkpoints/cancelled" };
    const cancel = new AbortController();
    const cutOff = async () => {
      for await (const event of train(job, { ...world.deps(), nowMs: slowClock() }, cancel.signal)) {
        if (event.kind === "progress" && event.epoch === 3) cancel.abort();
      }
    };
    await expect(cutOff()).rejects.toMatchObject({ code: "CANCELLED" });
    const { trained } = await collect(train(job, world.deps(), SIGNAL));
    expect(bytesOf(trained)).toEqual(bytesOf(whole.trained));
  });

  it("refuses the checkpoint of another job", async () => {
    const checkpointKey = "checkpoints/other";
    await collect(train({ spec: specOf(), bags: cohort, checkpointKey }, world.deps(), SIGNAL));
    const other = train({ spec: specOf({ seed: 9 }), bags: cohort, checkpointKey }, world.deps(), SIGNAL);
    await expect(collect(other)).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
  });
});
describe("epochs shorter than the time between checkpoints", () => {
  it("share one, are told of behind it, and end with the same bits", async () => {
    const spec = specOf({ epochs: 5 });
    const each = await run(spec);
    const job = { spec, bags: cohort, checkpointKey: "checkpoints/shared" };
    const deps = { ...world.deps(), checkpointMs: 3_600_000 };
    const { events, trained } = await collect(train(job, deps, SIGNAL));
    const told = events.flatMap((event) =>
      event.kind === "epoch" || event.kind === "checkpoint" ? [`${event.kind} ${event.epoch}`] : [],
    );
    const rest = ["epoch 2", "epoch 3", "epoch 4", "epoch 5", "checkpoint 5"];
    expect(told).toEqual(["epoch 1", "checkpoint 1", ...rest]);
    expect(bytesOf(trained)).toEqual(bytesOf(each.trained));
    expect(trained.history).toEqual(each.trained.history);
  });

  it("are run again from it when the engine is lost, and none is told of twice", async () => {
    const whole = await run(specOf({ epochs: 5 }));
    const deps = { ...world.deps(), checkpointMs: 3_600_000, nowMs: slowClock() };
    const told: string[] = [];
    let trained: TrainedModel | undefined;
    for await (const event of train({ spec: specOf({ epochs: 5 }), bags: cohort }, deps, SIGNAL)) {
      if (event.kind === "progress" && event.epoch === 3 && !told.includes("recovered 1")) {
        await world.engine.dropResident("train/");
      }
      if (event.kind === "epoch" || event.kind === "recovered") told.push(`${event.kind} ${event.epoch}`);
      if (event.kind === "done") trained = event.trained;
    }
    expect(told).toEqual(["epoch 1", "recovered 1", "epoch 2", "epoch 3", "epoch 4", "epoch 5"]);
    expect(trained && bytesOf(trained)).toEqual(bytesOf(whole.trained));
  });
});

describe("when the engine is lost", () => {
  it("training puts its state back and ends with the same bits", async () => {
    const whole = await run(specOf());
    const lost: string[] = [];
    let trained: TrainedModel | undefined;
    for await (const event of train({ spec: specOf(), bags: cohort }, world.deps(), SIGNAL)) {
      if (event.kind === "epoch" && event.epoch === 1) await world.engine.dropResident("train/");
      if (event.kind === "epoch" && event.epoch === 2) killChildren();
      if (event.kind === "recovered") lost.push(event.reason);
      if (event.kind === "done") trained = event.trained;
    }
    expect(lost).toEqual(["STATE_LOST", "ENGINE_CRASHED"]);
    expect(trained && bytesOf(trained)).toEqual(bytesOf(whole.trained));
  });

  it("again and again, training gives up", async () => {
    const deps = world.deps();
    const engine = Object.create(deps.engine, {
      run: {
        value: () => deps.engine.dropResident("train/").then(() => deps.engine.getResident(["train/test/weights"])),
      },
    }) as typeof deps.engine;
    await expect(collect(train({ spec: specOf(), bags: cohort }, { ...deps, engine }, SIGNAL))).rejects.toMatchObject({
      code: "STATE_LOST",
    });
  });
});

/** Kills the processes this one started, which are the engine's. */
function killChildren(): void {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8");
  for (const pid of children.trim().split(/\s+/u)) process.kill(Number(pid), "SIGKILL");
}

describe("what cannot be trained", () => {
  it("names epoch and step when the loss is no number any more", async () => {
    const data = Float32Array.from({ length: 40 }, () => 3e38);
    const bag = await writeBag(world.store, "bags/", { n: 5, d: 8, features: { dtype: "F32", data }, metadata: {} });
    const bags = [...cohort.slice(0, 2), { bag, label: 1 }].map((each): LabelledBag => ({ ...each, part: "train" }));
    await expect(run(specOf(), bags)).rejects.toMatchObject({
      code: "NON_FINITE",
      message: expect.stringMatching(/^the training loss is NaN at epoch 1, step [123] of 3/u) as string,
    });
  });

  it("is a patient in two parts", async () => {
    const bags = cohort.map((bag, i): LabelledBag => ({ ...bag, patient: "same", part: i < 30 ? "train" : "test" }));
    await expect(run(specOf(), bags)).rejects.toMatchObject({ code: "LABEL_LEAKAGE" });
  });

  it("is a bag listed twice under two patients", async () => {
    const [first, ...others] = cohort;
    if (first === undefined) throw new Error("the cohort has bags");
    const bags = [first, { ...first, patient: "another" }, ...others];
    await expect(run(specOf(), bags)).rejects.toMatchObject({
      code: "LABEL_LEAKAGE",
      message: "rows 0, 1 are the same bag under different patients",
    });
  });

  it("is a file that was imported under two names, in two parts", async () => {
    const parts = ["train", "validation", "test"] as const;
    const given = cohort.map((each, i): LabelledBag => ({ ...each, part: parts[i % 3] ?? "train" }));
    const copies = await Promise.all(
      ["a", "a copy"].map((slideId) => {
        const features = { dtype: "F32", data: Float32Array.from({ length: 40 }, (_, i) => i) } as const;
        return writeBag(world.store, "bags/", {
          ...{ n: 5, d: 8, features },
          metadata: { slideId, sourceDigest: "ab".repeat(32) },
        });
      }),
    );
    const bags = copies.map((bag, i): LabelledBag => ({ bag, label: 1, part: i === 0 ? "train" : "test" }));
    expect(copies[0]?.digest).not.toBe(copies[1]?.digest);
    await expect(run(specOf(), [...bags, ...given])).rejects.toMatchObject({
      code: "LABEL_LEAKAGE",
      message: "rows 0, 1 are the same bag under different patients",
    });
  });

  it("are bags of two widths, of two encoders, or none", async () => {
    const make = (encoder: string, d: number) =>
      writeCohort(world.store, { nBags: 4, d, seed: 2n, metadata: { encoder } });
    const uni = await make("uni_v2", 8);
    await expect(run(specOf(), [...uni, ...(await make("virchow2", 8))])).rejects.toMatchObject({
      code: "GEOMETRY_MISMATCH",
      message: "the encoder of the bag is virchow2, that of the other bags or of the model uni_v2",
    });
    await expect(run(specOf(), [...uni, ...(await make("uni_v2", 6))])).rejects.toMatchObject({
      code: "GEOMETRY_MISMATCH",
      message: "bags have 8 and 6 features per tile; a model takes one width",
    });
    await expect(run(specOf(), [])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("is a training that stops early on a validation part it has not", async () => {
    const spec = specOf({ split: { validationFraction: 0, testFraction: 0 }, earlyStopping: {} });
    await expect(run(spec)).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
  });

  it.each([
    [{ epochs: 0 }, "training.epochs is 0; it must be a whole number from 1 to 10000"],
    [{ seed: -1 }, "training.seed is -1"],
    [{ seed: "18446744073709551616" }, "training.seed is 18446744073709551616"],
    [{ split: { validationFraction: 0.5, testFraction: 0.5 } }, "validation and test share are 1 together"],
    [{ optimizer: {} }, 'training has an unknown field "optimizer"'],
    [{ selectionMetric: "loss", earlyStopping: { metric: "auroc" } }, "they must agree"],
  ])("is the specification %j", (change, message) => {
    expect(() => specOf(change)).toThrow(message);
  });
});
