import { writeBag } from "@parfocal/bags";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LabelledBag, TrainedModel } from "../job.ts";
import { collect, openWorld, type World, writeCohort } from "../testing/world.ts";
import { train } from "../train.ts";
import { parseTrainSpec } from "../train-spec.ts";
import { evaluateModel } from "./evaluate-model.ts";
import { loadModel } from "./load-model.ts";
import { encodeManifest } from "./manifest.ts";
import { manifestKeyOf } from "./package-files.ts";
import { decide, predictBag } from "./predict-bag.ts";
import { predictBags } from "./predict-bags.ts";
import { publishModel } from "./publish-model.ts";
import { parseManifest } from "./read-manifest.ts";

const SIGNAL = new AbortController().signal;
const PREFIX = "models/tumour/1";
const OPTIONS = { codeVersion: "test" };

let world: World;
let cohort: LabelledBag[];
let trained: TrainedModel;

beforeAll(async () => {
  world = await openWorld();
  const metadata = { encoder: "uni_v2", tilePx: 256, mpp: 0.5 };
  cohort = await writeCohort(world.store, { nBags: 60, d: 8, seed: 1n, metadata });
  trained = await trainOnce(1);
  await publishModel(world.store, PREFIX, trained, OPTIONS);
  const seen = { ...trained.seen, training: new Set(["a".repeat(64)]) };
  await publishModel(world.store, "models/files/1", { ...trained, seen }, OPTIONS);
});

afterAll(() => world.close());

async function trainOnce(seed: number): Promise<TrainedModel> {
  const model = {
    standardise: true,
    head: { kind: "gated-abmil", hidden: [16], attentionWidth: 8 },
    task: { kind: "binary", classes: ["benign", "tumour"] },
  };
  const spec = parseTrainSpec({
    model,
    epochs: 8,
    optimiser: { learningRate: 5e-3 },
    split: { testFraction: 0.3 },
    seed,
  });
  return (await collect(train({ spec, bags: cohort }, world.deps(), SIGNAL))).trained;
}

function bagAt(index: number): LabelledBag {
  const bag = cohort[index];
  if (bag === undefined) throw new Error(`the cohort has no bag ${index}`);
  return bag;
}

describe("a published model", () => {
  it("predicts what the training reported, bit for bit", async () => {
    const loaded = await loadModel(world.store, PREFIX);
    for (const { index, answer } of trained.testPredictions.slice(0, 5)) {
      const prediction = await predictBag(world, loaded, bagAt(index).bag);
      expect(prediction.probabilities).toEqual(answer);
      expect(prediction.attention).toBeUndefined();
    }
  });

  it("gives attention that sums to one, when asked", async () => {
    const loaded = await loadModel(world.store, PREFIX);
    const { bag } = bagAt(1);
    const { attention } = await predictBag(world, loaded, bag, { wantsAttention: true });
    expect(attention).toMatchObject({ n: bag.n, nBranches: 1 });
    expect(attention?.values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
  });

  it("gives none where its graph was captured before it had any", async () => {
    const loaded = await loadModel(world.store, PREFIX);
    const { aggregate = expect.unreachable("no graph") } = loaded;
    const old = { ...aggregate, outputs: aggregate.outputs.filter(({ name }) => name !== "attention") };
    const wish = { wantsAttention: true };
    const prediction = await predictBag(world, { ...loaded, aggregate: old }, bagAt(1).bag, wish);
    expect(prediction.attention).toBeUndefined();
    expect(prediction.probabilities).toEqual((await predictBag(world, loaded, bagAt(1).bag)).probabilities);
  });

  it("brings back its weights and its manifest", async () => {
    const loaded = await loadModel(world.store, PREFIX);
    expect(await loaded.readWeights()).toEqual(trained.weights);
    expect(loaded.manifest).toMatchObject({
      model: trained.model.config,
      expects: { encoder: "uni_v2", tilePx: 256, mpp: 0.5 },
      thresholds: trained.thresholds,
      epoch: trained.epoch,
      digests: { code: "test", trainingData: trained.dataDigest },
    });
    expect(loaded.manifest.test?.metrics.auroc).toEqual(trained.test?.metrics.auroc);
    expect(parseManifest(encodeManifest(loaded.manifest))).toEqual(loaded.manifest);
    expect(parseTrainSpec(loaded.manifest.spec)).toEqual(trained.spec);
  });

  it("is evaluated on its test part with the figures of the training", async () => {
    const loaded = await loadModel(world.store, PREFIX);
    const bags = trained.testPredictions.map(({ index }) => ({ ...bagAt(index), patient: `p${index}` }));
    const deps = { ...world, nowMs: () => performance.now() };
    const { report, scores } = await evaluateModel(deps, loaded, bags, SIGNAL);
    expect(scores.map(({ answer }) => answer)).toEqual(trained.testPredictions.map(({ answer }) => answer));
    expect(report.metrics.auroc?.value).toBe(trained.test?.metrics.auroc?.value);
  });

  it("says of every bag which part of its training had it, alone, among many and evaluated", async () => {
    const loaded = await loadModel(world.store, PREFIX);
    const bags = cohort.map((each, i) => ({ ...each, patient: `p${i}` }));
    const { scores, cases } = await evaluateModel({ ...world, nowMs: () => performance.now() }, loaded, bags, SIGNAL);
    const counts = Object.groupBy(scores, ({ seen }) => seen);
    const nTest = trained.testPredictions.length;
    expect(counts.neither).toHaveLength(nTest);
    expect(counts.training?.length).toBe(loaded.seen.training.size);
    expect(counts.validation?.length).toBe(loaded.seen.validation.size);
    expect(loaded.seen.training.size + loaded.seen.validation.size).toBe(cohort.length - nTest);
    const tests = new Set(trained.testPredictions.map(({ index }) => index));
    expect(scores.map(({ seen }) => seen === "neither")).toEqual(cohort.map((_, i) => tests.has(i)));
    expect(cases.map(({ seen }) => seen)).toEqual(scores.map(({ seen }) => seen));
    const alone = await Promise.all(cohort.map(({ bag }) => predictBag(world, loaded, bag)));
    expect(alone.map(({ seen }) => seen)).toEqual(scores.map(({ seen }) => seen));
    const many = predictBags(
      world,
      loaded,
      cohort.map(({ bag }) => bag),
      SIGNAL,
    );
    const among = await Array.fromAsync(many, (each) => (each.kind === "prediction" ? each.prediction.seen : ""));
    expect(among).toEqual(scores.map(({ seen }) => seen));
  });

  it("knows a bag by its file, whatever the slide is called", async () => {
    const loaded = await loadModel(world.store, "models/files/1");
    const [known, other] = ["a".repeat(64), "b".repeat(64)].map((sourceDigest) =>
      writeBag(world.store, "bags/", {
        ...{ n: 1, d: 8, features: { dtype: "F32", data: new Float32Array(8) } },
        metadata: { slideId: "another name", sourceDigest },
      }),
    );
    expect((await predictBag(world, loaded, (await known)!)).seen).toBe("training");
    expect((await predictBag(world, loaded, (await other)!)).seen).toBe("neither");
  });

  it("may be published again, while another model in its folder is refused", async () => {
    const again = await publishModel(world.store, PREFIX, trained, OPTIONS);
    expect(again.digest).toBe((await loadModel(world.store, PREFIX)).digest);
    const other = await trainOnce(2);
    await expect(publishModel(world.store, PREFIX, other, OPTIONS)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
  });
});

describe("a bag of another kind", () => {
  it("is served alike from half floats", async () => {
    const loaded = await loadModel(world.store, PREFIX);
    const half = Float16Array.from({ length: 6 * 8 }, (_, i) => Math.sin(i));
    const bags = [
      { dtype: "F16", data: new Uint16Array(half.buffer) },
      { dtype: "F32", data: Float32Array.from(half) },
    ] as const;
    const scores: (readonly number[])[] = [];
    for (const features of bags) {
      const ref = await writeBag(world.store, "bags/", { n: 6, d: 8, features, metadata: {} });
      scores.push((await predictBag(world, loaded, ref)).probabilities);
    }
    expect(scores[0]).toEqual(scores[1]);
  });

  it("is refused when it is empty", async () => {
    const loaded = await loadModel(world.store, PREFIX);
    const empty = { ...bagAt(0).bag, n: 0 };
    await expect(predictBag(world, loaded, empty)).rejects.toMatchObject({ code: "EMPTY_BAG" });
  });

  it.each([
    [{ d: 6 }, { encoder: "uni_v2" }, "the bag has 6 features per tile; the model takes 8"],
    [
      { d: 8 },
      { encoder: "virchow2" },
      "the encoder of the bag is virchow2, that of the other bags or of the model uni_v2",
    ],
    [{ d: 8 }, { tilePx: 512 }, "the tilePx of the bag is 512, that of the other bags or of the model 256"],
    [{ d: 8 }, { mpp: 0.25 }, "the mpp of the bag is 0.25, that of the other bags or of the model 0.5"],
  ])("is refused: %j %j", async ({ d }, metadata, message) => {
    const loaded = await loadModel(world.store, PREFIX);
    const [bag] = await writeCohort(world.store, { nBags: 1, d, seed: 3n, metadata });
    await expect(predictBag(world, loaded, bag?.bag ?? bagAt(0).bag)).rejects.toMatchObject({
      code: "GEOMETRY_MISMATCH",
      message,
    });
  });

  it("is accepted when it does not say, or when scanners differ by a few per cent", async () => {
    const loaded = await loadModel(world.store, PREFIX);
    for (const metadata of [{}, { encoder: "uni_v2", mpp: 0.503 }]) {
      const [bag] = await writeCohort(world.store, { nBags: 1, d: 8, seed: 3n, metadata });
      expect((await predictBag(world, loaded, bag?.bag ?? bagAt(0).bag)).probabilities).toHaveLength(2);
    }
  });
});

describe("a damaged package", () => {
  it("is refused, whichever file is damaged", async () => {
    const manifest = (await loadModel(world.store, PREFIX)).manifest;
    const aggregate = manifest.graphs.aggregate?.path ?? "";
    const typicality = manifest.typicality?.file.path ?? "";
    const seen = manifest.seen?.path ?? "";
    const copy = async (prefix: string, damaged: string) => {
      const files = [manifest.weights.path, aggregate, typicality, seen, "manifest.json"];
      for (const path of files) {
        const { bytes } = await world.store.get(`${PREFIX}/${path}`);
        if (path === damaged) bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
        await world.store.put(`${prefix}/${path}`, bytes);
      }
    };
    await copy("models/graph", aggregate);
    await expect(loadModel(world.store, "models/graph")).rejects.toMatchObject({ code: "CORRUPT" });
    await copy("models/typicality", typicality);
    await expect(loadModel(world.store, "models/typicality")).rejects.toMatchObject({ code: "CORRUPT" });
    await copy("models/seen", seen);
    await expect(loadModel(world.store, "models/seen")).rejects.toMatchObject({ code: "CORRUPT" });
    await copy("models/weights", manifest.weights.path);
    const loaded = await loadModel(world.store, "models/weights");
    await expect(loaded.readWeights()).rejects.toMatchObject({ code: "CORRUPT" });
    await expect(loadModel(world.store, PREFIX, { digest: "0".repeat(64) })).rejects.toMatchObject({ code: "CORRUPT" });
    await expect(loadModel(world.store, "models/none")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it.each([
    ["not json", (text: string) => text.slice(0, -20), "CORRUPT"],
    [
      "of another version",
      (text: string) => text.replace("parfocal-model/1", "parfocal-model/9"),
      "UNSUPPORTED_FORMAT",
    ],
    ["with a field missing", (text: string) => text.replace('"thresholds"', '"threshold"'), "CORRUPT"],
    ["with a port of no known type", (text: string) => text.replace('"dtype": "f32"', '"dtype": "f33"'), "CORRUPT"],
    ["with a port without a shape", (text: string) => text.replace('"shape": [', '"shape": [-1,'), "CORRUPT"],
    ["with a path out of the package", (text: string) => text.replace('"path": "', '"path": "../'), "CORRUPT"],
  ])("is refused by a manifest that is %s", async (_name, damage, code) => {
    const { bytes } = await world.store.get(manifestKeyOf(PREFIX));
    const text = damage(new TextDecoder().decode(bytes));
    expect(() => parseManifest(new TextEncoder().encode(text))).toThrow(expect.objectContaining({ code }) as Error);
  });
});

describe("decisions", () => {
  const classes = ["a", "b", "c"];

  it("take the positive class from the threshold on", () => {
    const task = { kind: "binary", classes: ["no", "yes"], link: "softmax" } as const;
    expect(decide(task, [0.6, 0.4], [0.4])).toEqual(["yes"]);
    expect(decide(task, [0.6, 0.4], [0.41])).toEqual(["no"]);
  });

  it("take the first of the most probable classes", () => {
    expect(decide({ kind: "multiclass", classes, link: "softmax" }, [0.2, 0.4, 0.4], [])).toEqual(["b"]);
  });

  it("take every label that reaches its own threshold", () => {
    const task = { kind: "multilabel", classes, link: "sigmoid" } as const;
    expect(decide(task, [0.5, 0.5, 0.1], [0.5, 0.6, 0.05])).toEqual(["a", "c"]);
    expect(decide(task, [0, 0, 0], [0.5, 0.6, 0.05])).toEqual([]);
  });
});
