import { createRng } from "@parfocal/metrics";
import { buildModel, initialiseParameters, type Weights } from "@parfocal/models";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readCheckpoint } from "./checkpoint.ts";
import { flatLayout, unflattenWeights } from "./flat-layout.ts";
import type { LabelledBag, Part, StartFrom, TrainedModel, TrainJob } from "./job.ts";
import { loadModel } from "./package/load-model.ts";
import { type ManifestFacts, publishModel, publishPackage } from "./package/publish-model.ts";
import { TINY_MODEL, weightBytes } from "./testing/tiny-model.ts";
import { collect, openWorld, type World, writeCohort } from "./testing/world.ts";
import { train } from "./train.ts";
import { parseTrainSpec, type TrainSpec } from "./train-spec.ts";

const SIGNAL = new AbortController().signal;
const ALL_TRAIN = { validationFraction: 0, testFraction: 0 };

let world: World;
let cohort: LabelledBag[];

beforeAll(async () => {
  world = await openWorld();
  cohort = await writeCohort(world.store, { nBags: 12, d: 8, seed: 1n, metadata: { encoder: "uni_v2" } });
});

afterAll(() => world.close());

function specOf(change: Record<string, unknown> = {}): TrainSpec {
  const optimiser = { learningRate: 1e-2, weightDecay: 0.1 };
  return parseTrainSpec({ model: TINY_MODEL, epochs: 4, optimiser, split: ALL_TRAIN, ...change });
}

async function run(spec: TrainSpec, more: Partial<TrainJob> = {}): Promise<TrainedModel> {
  return (await collect(train({ spec, bags: cohort, ...more }, world.deps(), SIGNAL))).trained;
}

function freshWeights({ seed, model }: TrainSpec): Weights {
  const { parameters } = buildModel({ ...model, dIn: 8 });
  return initialiseParameters(parameters, createRng(seed).fork("initial weights"));
}

describe("a frozen re-embedder (M12)", () => {
  const spec = specOf({ epochs: 2, frozenEpochs: 2 });

  it.each([1, 3])("keeps its bytes while the head learns, in batches of %i", async (batchSize) => {
    const trained = await run({ ...spec, batchSize });
    const fresh = { model: trained.model, weights: freshWeights(spec) };
    expect(weightBytes(trained, "reembed.")).toEqual(weightBytes(fresh, "reembed."));
    expect(weightBytes(trained, "head.")).not.toEqual(weightBytes(fresh, "head."));
    expect(trained.history[1]?.trainLoss).toBeLessThan(trained.history[0]?.trainLoss ?? 0);
  });

  it("drops nothing, whatever its dropout", async () => {
    const without = { ...TINY_MODEL, reembed: { ...TINY_MODEL.reembed, dropout: 0 } };
    const [a, b] = [await run(spec), await run(specOf({ epochs: 2, frozenEpochs: 2, model: without }))];
    // The words of the head's dropout are numbered among all sites: without any of the re-embedder's they are others.
    expect(weightBytes(a, "reembed.")).toEqual(weightBytes(b, "reembed."));
    const noDropout = (dropout: number) => ({
      ...TINY_MODEL,
      reembed: { ...TINY_MODEL.reembed, dropout },
      head: { ...TINY_MODEL.head, dropout: 0, attentionDropout: 0 },
    });
    const [c, d] = [
      await run(specOf({ epochs: 2, frozenEpochs: 2, model: noDropout(0.9) })),
      await run(specOf({ epochs: 2, frozenEpochs: 2, model: noDropout(0) })),
    ];
    expect(weightBytes(c)).toEqual(weightBytes(d));
  });

  it("moves from the epoch after by a first step of its own: fresh moments, steps counted from 1", async () => {
    const both = cohort.slice(0, 2);
    const plain = { batchSize: 2, optimiser: { kind: "adam", learningRate: 1e-2, weightDecay: 0 } };
    const trained = await run(specOf({ ...plain, epochs: 4, frozenEpochs: 3 }), { bags: both });
    const fresh = freshWeights(specOf());
    const steps = trained.model.parameters.flatMap(({ name }) => {
      const values = trained.weights[name] ?? new Float32Array();
      return name.startsWith("reembed.")
        ? [...values].map((value, i) => Math.abs(value - (fresh[name]?.[i] ?? 0)))
        : [];
    });
    // The first step of Adam is the step size wherever the gradient is not tiny.
    expect(Math.max(...steps)).toBeCloseTo(1e-2, 6);
    expect(steps.filter((step) => Math.abs(step - 1e-2) < 1e-5).length).toBeGreaterThan(steps.length / 2);
  });

  it("is a matter of no consequence where there is none to freeze", async () => {
    const model = { head: TINY_MODEL.head, task: TINY_MODEL.task };
    const [a, b] = [await run(specOf({ model, frozenEpochs: 2, layerDecay: 0.5 })), await run(specOf({ model }))];
    expect(weightBytes(a)).toEqual(weightBytes(b));
  });

  it.each([1, 2, 3])("resumes after epoch %i, across where it is let go, to the same bits", async (stopAfter) => {
    const job = { spec: specOf({ frozenEpochs: 2, layerDecay: 0.75 }), bags: cohort };
    const whole = (await collect(train(job, world.deps(), SIGNAL))).trained;
    const resumed = { ...job, checkpointKey: `checkpoints/${stopAfter}` };
    for await (const event of train(resumed, world.deps(), SIGNAL)) {
      if (event.kind === "checkpoint" && event.epoch === stopAfter) break;
    }
    const { trained } = await collect(train(resumed, world.deps(), SIGNAL));
    expect(weightBytes(trained)).toEqual(weightBytes(whole));
    expect(trained.history).toEqual(whole.history);
  });

  it.each([1, 2, 3])("resumes after epoch %i to the same bits where weights look ahead", async (stopAfter) => {
    const optimiser = { kind: "radam", learningRate: 1e-2, weightDecay: 0.1, lookahead: { steps: 5 } };
    const job = { spec: specOf({ optimiser, frozenEpochs: 2 }), bags: cohort };
    const whole = (await collect(train(job, world.deps(), SIGNAL))).trained;
    const resumed = { ...job, checkpointKey: `checkpoints/ahead-${stopAfter}` };
    for await (const event of train(resumed, world.deps(), SIGNAL)) {
      if (event.kind === "checkpoint" && event.epoch === stopAfter) break;
    }
    expect(weightBytes((await collect(train(resumed, world.deps(), SIGNAL))).trained)).toEqual(weightBytes(whole));
  });

  it("has no moments when it is let go", async () => {
    const job = { spec: specOf({ frozenEpochs: 2 }), bags: cohort, checkpointKey: "checkpoints/moments" };
    for await (const event of train(job, world.deps(), SIGNAL)) {
      if (event.kind === "checkpoint" && event.epoch === 2) break;
    }
    const { reembed, head } = await momentsOf(job.checkpointKey);
    expect(reembed).toBe(0);
    expect(head).toBeGreaterThan(0);
  });

  /** Sums of the first moments in a checkpoint. */
  async function momentsOf(key: string) {
    const { bytes } = await world.store.get(key);
    const digest = /"jobDigest":"([0-9a-f]{64})"/u.exec(Buffer.from(bytes).toString("latin1"))?.[1] ?? "";
    const state = await readCheckpoint(world.store, key, digest);
    const { trainable } = flatLayout(buildModel({ ...TINY_MODEL, dIn: 8 }).parameters);
    const moments = unflattenWeights(trainable, state?.slots.moment1 ?? new Float32Array());
    const sum = (prefix: string) =>
      Object.entries(moments)
        .filter(([name]) => name.startsWith(prefix))
        .reduce((total, [, values]) => total + values.reduce((of, value) => of + Math.abs(value), 0), 0);
    return { reembed: sum("reembed."), head: sum("head.") };
  }
});

describe("step sizes that fall with depth", () => {
  it("make first steps that are shorter by the layer's scale, and leave decay as it is", async () => {
    const optimiser = { kind: "adamw", learningRate: 1e-2, weightDecay: 0 };
    const trained = await run(specOf({ epochs: 1, batchSize: 2, layerDecay: 0.75, optimiser }), {
      bags: cohort.slice(0, 2),
    });
    const fresh = freshWeights(specOf());
    const greatest = (name: string) =>
      Math.max(...(trained.weights[name] ?? []).map((value, i) => Math.abs(value - (fresh[name]?.[i] ?? 0))));
    for (const [name, scale] of [
      ["reembed.input.weight", 0.421875],
      ["reembed.blocks.0.norm1.weight", 0.5625],
      ["reembed.blocks.1.norm1.weight", 0.75],
      ["head.classifier.weight", 1],
    ] as const) {
      expect(fresh[name], name).toBeDefined();
      expect(greatest(name)).toBeCloseTo(scale * 1e-2, 5);
    }
  });
});

describe("a training that starts from a published model", () => {
  let published: StartFrom;

  beforeAll(async () => {
    const trained = await run(specOf({ seed: 5 }));
    const { digest } = await publishModel(world.store, "models/base/1", trained, { codeVersion: "test" });
    published = { prefix: "models/base/1", digest };
  });

  it("has its re-embedder and a fresh head, and says where it is from", async () => {
    const base = await loadModel(world.store, published.prefix);
    const trained = await run(specOf({ epochs: 1, frozenEpochs: 1 }), { startFrom: published });
    const theirs = { model: base.model, weights: await base.readWeights() };
    expect(weightBytes(trained, "reembed.")).toEqual(weightBytes(theirs, "reembed."));
    expect(weightBytes(trained, "head.")).not.toEqual(weightBytes(theirs, "head."));
    await publishModel(world.store, "models/tuned/1", trained, { codeVersion: "test" });
    const { manifest } = await loadModel(world.store, "models/tuned/1");
    expect(manifest.digests.startFrom).toBe(published.digest);
    const other = await run(specOf({ epochs: 1, frozenEpochs: 1 }));
    expect(other.jobDigest).not.toBe(trained.jobDigest);
    expect(other.dataDigest).toBe(trained.dataDigest);
  });

  it("may drop more or less than it did", async () => {
    const model = { ...TINY_MODEL, reembed: { ...TINY_MODEL.reembed, dropout: 0.5 } };
    await expect(run(specOf({ model, epochs: 1 }), { startFrom: published })).resolves.toMatchObject({
      startDigest: published.digest,
    });
  });

  it.each([
    [{ reembed: { ...TINY_MODEL.reembed, depth: 1 } }, "reembed.depth is 1, in the model to start from 2"],
    [{ reembed: { kind: "none" } }, "the model to train has no re-embedder"],
    [{ standardise: true }, "standardise is true, in the model to start from false"],
    [{ reembed: { kind: "r2t", stemWidth: 8 } }, 'reembed.kind is "r2t", in the model to start from "roformer"'],
  ])("refuses %j", async (change, message) => {
    const started = run(specOf({ model: { ...TINY_MODEL, ...change } }), { startFrom: published });
    await expect(started).rejects.toMatchObject({ code: "PRECONDITION_FAILED", message });
  });

  it("has seen what that one has, and is not tested on it", async () => {
    const fresh = await writeCohort(world.store, { nBags: 6, d: 8, seed: 2n, metadata: { encoder: "uni_v2" } });
    const parted = (bags: readonly LabelledBag[], part: Part) => bags.map((bag) => ({ ...bag, part }));
    const renamed = fresh.map((bag, i) => ({ ...bag, patient: `other ${i}` }));
    const given = [...parted(renamed.slice(0, 2), "train"), ...parted(renamed.slice(2, 4), "validation")];
    const tested = await run(specOf({ epochs: 1 }), {
      bags: [...given, ...parted(renamed.slice(4), "test")],
      startFrom: published,
    });
    const digests = (bags: readonly LabelledBag[]) => bags.map(({ bag }) => bag.digest);
    expect(tested.seen.training).toEqual(new Set(digests([...cohort, ...renamed.slice(0, 2)])));
    expect(tested.seen.validation).toEqual(new Set(digests(renamed.slice(2, 4))));
    expect(tested.seen.isComplete).toBe(true);
    const bags = [...given, ...parted(renamed.slice(4), "test"), ...parted(cohort.slice(0, 2), "test")];
    await expect(run(specOf({ epochs: 1 }), { bags, startFrom: published })).rejects.toMatchObject({
      code: "LABEL_LEAKAGE",
      message: expect.stringMatching(
        /^2 of 4 test bags were in the training of .* \(2 trained, 0 validated; rows 6, 7\)/u,
      ) as string,
      details: { field: "start_from", bags: "2", rows: "6, 7" },
    });
    // What it has seen it may learn from again, and be chosen by.
    const again = [...parted(cohort.slice(0, 2), "train"), ...parted(cohort.slice(2, 4), "validation")];
    const { seen } = await run(specOf({ epochs: 1 }), { bags: again, startFrom: published });
    expect(seen.training).toEqual(new Set(digests(cohort)));
    expect(seen.validation.size).toBe(0);
  });

  it("may be tested on what a pretrained mixer has seen, and knows nothing of what one that does not say has", async () => {
    const base = await loadModel(world.store, published.prefix);
    const { weights: _w, graphs: _g, typicality: _t, seen, ...facts } = base.manifest;
    expect(seen).toBeDefined();
    const weights = await base.readWeights();
    const publish = async (name: string, more: Partial<ManifestFacts>) => {
      const content = { model: base.model, weights, facts: { ...facts, ...more } };
      const { digest } = await publishPackage(world.store, name, content, {});
      return { prefix: name, digest };
    };
    const mixer = await publish("models/pretrained/1", { pretraining: { nUpdates: 1, history: [] } });
    const silent = await publish("models/silent/1", {});
    const bags = cohort.map((bag, i): LabelledBag => ({ ...bag, part: i < 8 ? "train" : "test" }));
    const after = await run(specOf({ epochs: 1 }), { bags, startFrom: mixer });
    expect(after.seen).toMatchObject({ isComplete: true });
    expect(after.seen.training.size).toBe(8);
    expect((await run(specOf({ epochs: 1 }), { bags, startFrom: silent })).seen.isComplete).toBe(false);
  });

  it("refuses tiles of another width or encoder, and another digest", async () => {
    const start = (bags: readonly LabelledBag[], startFrom = published) => run(specOf(), { bags, startFrom });
    const wide = await writeCohort(world.store, { nBags: 2, d: 9, seed: 1n });
    const message = "the bags have 9 features per tile; the model to start from takes 8";
    await expect(start(wide)).rejects.toMatchObject({ code: "GEOMETRY_MISMATCH", message });
    const foreign = await writeCohort(world.store, { nBags: 2, d: 8, seed: 1n, metadata: { encoder: "virchow2" } });
    await expect(start(foreign)).rejects.toMatchObject({ code: "GEOMETRY_MISMATCH" });
    const digest = "0".repeat(64);
    await expect(start(cohort, { ...published, digest })).rejects.toMatchObject({ code: "CORRUPT" });
  });
});
