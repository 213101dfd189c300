import { type Bag, type BagRef, readBag, readBagHeader, writeBag } from "@parfocal/bags";
import { createRng } from "@parfocal/metrics";
import { buildModel, initialiseParameters, type ReembedGraphs } from "@parfocal/models";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LabelledBag, StartFrom, TrainedModel } from "./job.ts";
import { evaluateModel } from "./package/evaluate-model.ts";
import { type LoadedModel, loadModel } from "./package/load-model.ts";
import { type BagPrediction, predictBag } from "./package/predict-bag.ts";
import { predictPatient } from "./package/predict-patient.ts";
import { publishModel, publishPackage } from "./package/publish-model.ts";
import { type ComputeOptions, computeTiles } from "./reembed/compute-tiles.ts";
import { createKeyedLock } from "./reembed/keyed-lock.ts";
import { reembedBag } from "./reembed/reembed-bag.ts";
import { cellsOf, cornerOf, REGION_STRIDE, regionBag } from "./testing/region-bags.ts";
import { weightBytes } from "./testing/tiny-model.ts";
import { collect, openWorld, type World } from "./testing/world.ts";
import { train } from "./train.ts";
import { parseTrainSpec } from "./train-spec.ts";

const SIGNAL = new AbortController().signal;
const D = 6;
const MIXER = { kind: "region-mixer", regionTiles: 2, width: 8, heads: 2, depth: 1, dropout: 0.1 } as const;
const HEAD = { kind: "gated-abmil", hidden: [6], attentionWidth: 4 };
const TASK = { kind: "binary", classes: ["no", "yes"] };

let world: World;
let cohort: LabelledBag[];

beforeAll(async () => {
  world = await openWorld();
  cohort = await writeRegions();
});

afterAll(() => world.close());

/** Slides of 3 × 5 coarse tiles without a few of their tiles; those of label 1 stand out in one feature of the coarse ones. */
async function writeRegions(): Promise<LabelledBag[]> {
  const bags: LabelledBag[] = [];
  for (let i = 0; i < 12; i++) {
    const label = i % 2;
    const bag = regionBag({
      cells: cellsOf(3, 5),
      levelCount: 3,
      d: D,
      seed: BigInt(i + 1),
      isMissing: (place) => (place.m + 5 * place.i + 3 * place.j + i) % 7 === 0,
      feature: ({ m }, k, noise) => noise + (label === 1 && m === 0 && k === 0 ? 4 : 0),
    });
    bags.push({ bag: await writeBag(world.store, "bags/", bag), label, patient: `p${i}` });
  }
  return bags;
}

async function trainOn(
  reembed: object,
  more: { startFrom?: StartFrom; bags?: LabelledBag[]; head?: object; groups?: object; recipe?: object } = {},
): Promise<TrainedModel> {
  const { bags = cohort, head = HEAD, groups, recipe, ...job } = more;
  const split = { validationFraction: 0.2, testFraction: 0.2 };
  const spec = parseTrainSpec({
    ...{ model: { reembed, head, task: TASK }, epochs: 2, optimiser: { learningRate: 5e-3 }, split },
    ...{ frozenEpochs: 1, layerDecay: 0.75, selection: "last" },
    ...(groups && { groups }),
    ...recipe,
  });
  return (await collect(train({ spec, bags, ...job }, world.deps(), SIGNAL))).trained;
}

async function reembed(loaded: LoadedModel, ref: BagRef): Promise<BagRef> {
  const steps = reembedBag({ ...world, lock: createKeyedLock() }, loaded, ref, SIGNAL);
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return step.value;
  }
}

/** What a model looks at of the slides: how many rows, and where the first of them lies. */
const CASES = [
  ["contextualised", MIXER, "tiles"],
  ["compressed", { ...MIXER, output: "compressed" }, "regions"],
  ["two magnifications contextualised", { ...MIXER, levels: [0, 2] }, "kept"],
  ["two magnifications compressed", { ...MIXER, levels: [1, 2], output: "compressed" }, "regions"],
  ["one magnification as it is", { kind: "levels", levels: [1] }, "kept"],
] as const;

describe.each(CASES)("a model of regions: %s", (name, config, rows) => {
  const prefix = `models/${name.replaceAll(" ", "-")}/1`;
  let trained: TrainedModel;
  let loaded: LoadedModel;

  beforeAll(async () => {
    trained = await trainOn(config);
    await publishModel(world.store, prefix, trained, { codeVersion: "test" });
    loaded = await loadModel(world.store, prefix);
  });

  it("trains, and predicts the same from the bag and from what its re-embedder leaves", async () => {
    expect(trained.history.every(({ trainLoss }) => Number.isFinite(trainLoss))).toBe(true);
    const { index, answer } = trained.testPredictions[0] ?? { index: 0, answer: [] };
    const ref = cohort[index]?.bag as BagRef;
    expect((await predictBag(world, loaded, ref)).probabilities).toEqual(answer);
    const left = await reembed(loaded, ref);
    expect((await predictBag(world, loaded, left)).probabilities).toEqual(answer);
  });

  it("takes slides that are joined one by one, and leaves its head the rows of all", async () => {
    const patients = cohort.map((bag, i) => ({ ...bag, patient: `p${i >> 2}-${i % 2}` }));
    const model = await trainOn(config, { bags: patients, groups: { kind: "joined" } });
    expect(model.history.every(({ trainLoss }) => Number.isFinite(trainLoss))).toBe(true);
    await publishModel(world.store, `${prefix}-joined`, model, { codeVersion: "test" });
    const joined = await loadModel(world.store, `${prefix}-joined`);
    const refs = [cohort[0]?.bag as BagRef, cohort[2]?.bag as BagRef];
    const left = [await reembed(joined, refs[0] as BagRef), await reembed(joined, refs[1] as BagRef)];
    const { answer } = await predictPatient(world, joined, refs, SIGNAL);
    expect((await predictPatient(world, joined, left, SIGNAL)).answer).toEqual(answer);
    expect((await predictBag(world, joined, refs[0] as BagRef)).answer).not.toEqual(answer);
  });

  it("weighs what its head sees, and says where that lies", async () => {
    const ref = cohort[0]?.bag as BagRef;
    const left = await reembed(loaded, ref);
    const bag = await readBag(world.store, left);
    const [direct, served] = await Promise.all(
      [ref, left].map((each) => predictBag(world, loaded, each, { wantsAttention: true })),
    );
    expect(direct?.attention?.values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    expect(direct?.attention?.values).toEqual(served?.attention?.values);
    expect(direct?.attention?.n).toBe(left.n);
    expect(served?.attention?.coords).toBeUndefined();
    const own = rows === "tiles" ? (await readBag(world.store, ref)).coords : direct?.attention?.coords;
    expect(own).toEqual(bag.coords);
  });

  it("leaves a bag that says what its rows are", async () => {
    const ref = cohort[0]?.bag as BagRef;
    const [bag, source] = [await readBag(world.store, await reembed(loaded, ref)), await readBag(world.store, ref)];
    expect(bag.metadata).toMatchObject({ sourceDigest: ref.digest, encoder: loaded.reembed?.encoder });
    if (rows === "regions") {
      // 3 × 5 coarse tiles in regions of 2 × 2.
      expect(bag.n).toBe(6);
      expect(bag.coords?.slice(0, 4)).toEqual(
        Int32Array.of(...cornerOf({ m: 0, i: 0, j: 0 }), ...cornerOf({ m: 0, i: 0, j: 2 })),
      );
      expect(bag.level).toBeUndefined();
      expect(bag.metadata).toMatchObject({ level0StridePx: 2 * REGION_STRIDE });
      for (const field of ["levelCount", "anchorPx", "mpp", "tilePx"]) expect(bag.metadata).not.toHaveProperty(field);
      return;
    }
    const levels = "levels" in config ? config.levels.map((m) => 2 - m) : [0, 1, 2];
    const kept = [...(source.level ?? [])].flatMap((level, row) => ((levels as number[]).includes(level) ? [row] : []));
    expect(bag.n).toBe(kept.length);
    expect([...(bag.level ?? [])]).toEqual(kept.map((row) => source.level?.[row]));
    expect([...(bag.coords ?? [])]).toEqual(
      kept.flatMap((row) => [source.coords?.[2 * row], source.coords?.[2 * row + 1]]),
    );
    const { levelCount, anchorPx, level0StridePx } = source.metadata;
    expect(bag.metadata).toMatchObject({ levelCount, anchorPx, level0StridePx });
  });

  it("re-embeds block by block what it re-embeds at once", async () => {
    const ref = cohort[1]?.bag as BagRef;
    const graphs = (await loaded.reembed?.readGraphs()) as ReembedGraphs;
    const whole = await bagOf(graphs, ref, { folder: "test/whole" });
    const blocks = await bagOf(graphs, ref, { folder: "test/blocks", wholeBytes: 0, blockRows: 50 });
    expect({ ...blocks, features: undefined }).toEqual({ ...whole, features: undefined });
    expect(blocks.features.data).toHaveLength(whole.features.data.length);
    for (const [i, value] of whole.features.data.entries()) expect(blocks.features.data[i]).toBeCloseTo(value, 5);
  });

  async function bagOf(
    graphs: ReembedGraphs,
    ref: BagRef,
    how: Pick<ComputeOptions, "folder" | "wholeBytes" | "blockRows">,
  ): Promise<Bag> {
    const facts = { encoder: "test" };
    const options = { ...world, graphs, model: loaded.model, facts, scratch: "test/", signal: SIGNAL, ...how };
    const steps = computeTiles(ref, await readBagHeader(world.store, ref), options);
    for (;;) {
      const step = await steps.next();
      if (step.done === true) return readBag(world.store, step.value);
    }
  }
});

describe.each([
  { kind: "clam", hidden: [6], attentionWidth: 4, instances: 2 },
  { kind: "transmil", hidden: [6], heads: 2, landmarks: 4, convTaps: 5 },
  { kind: "dtfd", hidden: [6], attentionWidth: 4, distill: "max-min" },
])("the head %j", (head) => {
  it.each([
    ["regions", { ...MIXER, output: "compressed" }],
    ["tiles of two magnifications", { ...MIXER, levels: [0, 2] }],
  ])("trains on %s, and predicts the same from the bag and from what its re-embedder leaves", async (rows, config) => {
    const trained = await trainOn(config, { head });
    const prefix = `models/${head.kind}-${rows.replaceAll(" ", "-")}/1`;
    await publishModel(world.store, prefix, trained, { codeVersion: "test" });
    const loaded = await loadModel(world.store, prefix);
    const { index, answer } = trained.testPredictions[0] ?? { index: 0, answer: [] };
    const ref = cohort[index]?.bag as BagRef;
    const direct = await predictBag(world, loaded, ref, { wantsAttention: true });
    expect(direct.probabilities).toEqual(answer);
    expect(direct.attention?.values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    expect((await predictBag(world, loaded, await reembed(loaded, ref))).probabilities).toEqual(answer);
  });
});

describe("a package without a head", () => {
  const EMBEDDING = { dIn: D, reembed: MIXER, head: { kind: "none" }, task: { kind: "embedding", classes: [] } };
  let published: StartFrom;
  let encoder: LoadedModel;

  beforeAll(async () => {
    const model = buildModel(EMBEDDING);
    const weights = initialiseParameters(model.parameters, createRng(7n));
    const facts = {
      ...{ model: model.config, expects: { encoder: "made-up" }, thresholds: [], areThresholdsFitted: false },
      ...{ validation: null, test: null, digests: { code: "test", config: "", trainingData: "" }, spec: {} },
      ...{ epoch: 0, nParameters: 0, history: [] },
    };
    const { digest } = await publishPackage(world.store, "models/mixer/1", { model, weights, facts }, {});
    published = { prefix: "models/mixer/1", digest };
    encoder = await loadModel(world.store, published.prefix, { digest });
  });

  it("holds no aggregating graph and re-embeds bags", async () => {
    expect(encoder.aggregate).toBeUndefined();
    expect(encoder.manifest.graphs).not.toHaveProperty("aggregate");
    const ref = cohort[0]?.bag as BagRef;
    expect(await reembed(encoder, ref)).toMatchObject({ n: ref.n, d: 8 });
  });

  it("decides nothing", async () => {
    const ref = cohort[0]?.bag as BagRef;
    const bags = [{ bag: ref, label: 0, patient: "p" }];
    const refused = { code: "PRECONDITION_FAILED" };
    await expect(predictBag(world, encoder, ref)).rejects.toMatchObject(refused);
    await expect(predictBag(world, encoder, await reembed(encoder, ref))).rejects.toMatchObject(refused);
    await expect(evaluateModel({ ...world, nowMs: () => 0 }, encoder, bags, SIGNAL)).rejects.toMatchObject(refused);
  });

  it.each(["contextualised", "compressed"])("is what a training starts from, for tiles %s", async (output) => {
    const trained = await trainOn({ ...MIXER, output, dropout: 0 }, { startFrom: published });
    const theirs = { model: encoder.model, weights: await encoder.readWeights() };
    // Frozen for the first of two epochs, and moved in the second.
    expect(weightBytes(trained, "reembed.")).toHaveLength(weightBytes(theirs, "reembed.").length);
    expect(weightBytes(trained, "reembed.")).not.toEqual(weightBytes(theirs, "reembed."));
    expect(trained.startDigest).toBe(published.digest);
  });

  it("is no start for another number of magnifications, and training does not make another", async () => {
    await expect(trainOn({ ...MIXER, regionTiles: 1 }, { startFrom: published })).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
      message: "reembed.regionTiles is 1, in the model to start from 2",
    });
    const spec = parseTrainSpec({ model: { reembed: MIXER, head: { kind: "none" }, task: EMBEDDING.task } });
    await expect(collect(train({ spec, bags: cohort }, world.deps(), SIGNAL))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "task.kind is embedding; training on labels takes a task that decides something",
    });
  });
});

/** The bag without the tiles of other magnifications than `levels`, 0 the coarsest. */
async function seenAt(ref: BagRef, levels: readonly number[]): Promise<BagRef> {
  const bag = await readBag(world.store, ref);
  const rows = [...(bag.level ?? [])].flatMap((level, row) => (levels.includes(2 - level) ? [row] : []));
  const pick = (values: ArrayLike<number> | undefined, width: number) =>
    rows.flatMap((row) => Array.from({ length: width }, (_, k) => values?.[row * width + k] ?? Number.NaN));
  return writeBag(world.store, "bags/", {
    ...bag,
    n: rows.length,
    features: { dtype: "F32", data: Float32Array.from(pick(bag.features.data, D)) },
    coords: Int32Array.from(pick(bag.coords, 2)),
    level: Uint8Array.from(pick(bag.level, 1)),
  });
}

describe.each([
  ["tiles", { ...MIXER, dropout: 0 }],
  ["tiles behind norms of their magnifications", { ...MIXER, dropout: 0, levelNorm: true, layerScaleInit: 0.5 }],
  ["regions", { ...MIXER, dropout: 0, output: "compressed" }],
])("a mixer of some of the magnifications of a pretrained one: %s", (name, config) => {
  const prefix = `models/whole-${name.replaceAll(" ", "-")}`;
  let published: StartFrom;

  const publish = async (reembed: object, folder: string): Promise<StartFrom> => {
    const model = buildModel({ dIn: D, reembed, head: { kind: "none" }, task: { kind: "embedding", classes: [] } });
    const fresh = initialiseParameters(model.parameters, createRng(11n));
    // Norms and biases that are all the same would hide whose they are.
    const weights = Object.fromEntries(
      Object.entries(fresh).map(([key, values]) => [
        key,
        values.map((value, i) => value + 0.3 * Math.sin(i + key.length)),
      ]),
    );
    const facts = {
      ...{ model: model.config, expects: { encoder: "made-up" }, thresholds: [], areThresholdsFitted: false },
      ...{ validation: null, test: null, digests: { code: "test", config: "", trainingData: "" }, spec: {} },
      ...{ epoch: 0, nParameters: 0, history: [] },
    };
    const { digest } = await publishPackage(world.store, folder, { model, weights, facts }, {});
    return { prefix: folder, digest };
  };

  beforeAll(async () => {
    published = await publish(config, prefix);
  });

  it.each([[[2]], [[0]], [[0, 2]], [[0, 1, 2]]])(
    "%j gives what the whole one gives without the others' tiles",
    async (levels) => {
      const recipe = { epochs: 1, frozenEpochs: 1 };
      const trained = await trainOn({ ...config, levels }, { startFrom: published, recipe });
      const folder = `${prefix}-${levels.join("")}`;
      await publishModel(world.store, folder, trained, { codeVersion: "test" });
      const [some, whole] = [await loadModel(world.store, folder), await loadModel(world.store, prefix)];
      expect(some.manifest.model.reembed.levels).toEqual(levels);
      const ref = cohort[3]?.bag as BagRef;
      const [found, expected] = [await reembed(some, ref), await reembed(whole, await seenAt(ref, levels))];
      const [a, b] = [await readBag(world.store, found), await readBag(world.store, expected)];
      expect([a.n, a.d]).toEqual([b.n, b.d]);
      const gaps = Array.from(a.features.data, (value, i) => Math.abs(Number(value) - Number(b.features.data[i])));
      expect(Math.max(...gaps)).toBeLessThan(1e-5);
      expect(Math.max(...a.features.data.map(Math.abs))).toBeGreaterThan(0.1);
    },
  );

  it("moves from there, and is a start for fewer again but not for more", async () => {
    const trained = await trainOn({ ...config, levels: [0, 2] }, { startFrom: published });
    expect(trained.history.every(({ trainLoss }) => Number.isFinite(trainLoss))).toBe(true);
    await publishModel(world.store, `${prefix}-two`, trained, { codeVersion: "test" });
    const { manifest } = await loadModel(world.store, `${prefix}-two`);
    const { digest } = await publish({ ...config, levels: [0, 2] }, `${prefix}-fresh-two`);
    expect(manifest.digests.startFrom).toBe(published.digest);
    const two = { prefix: `${prefix}-fresh-two`, digest };
    await expect(trainOn({ ...config, levels: [2] }, { startFrom: two })).resolves.toMatchObject({
      startDigest: digest,
    });
    await expect(trainOn({ ...config, levels: [1, 2] }, { startFrom: two })).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
      message: "reembed.levels is [1, 2]; the model to start from knows [0, 2], and levels may be some of these",
      details: { field: "reembed.levels" },
    });
  });
});

describe("branches that drop in fine-tuning", () => {
  it("follow the seed, change what is learned, and drop nothing where the model answers", async () => {
    const config = { ...MIXER, dropout: 0, dropPath: 0.5, layerScaleInit: 0.5 };
    const [a, b] = [await trainOn(config), await trainOn(config)];
    const without = await trainOn({ ...config, dropPath: 0 });
    expect(weightBytes(b, "reembed.")).toEqual(weightBytes(a, "reembed."));
    expect(weightBytes(without, "reembed.")).not.toEqual(weightBytes(a, "reembed."));
    await publishModel(world.store, "models/dropping/1", a, { codeVersion: "test" });
    const loaded = await loadModel(world.store, "models/dropping/1");
    const { index, answer } = a.testPredictions[0] ?? { index: 0, answer: [] };
    expect((await predictBag(world, loaded, cohort[index]?.bag as BagRef)).probabilities).toEqual(answer);
  });
});

describe("a model of regions", () => {
  it("is not taken for another that picks other magnifications by the same graph", async () => {
    const loaded: LoadedModel[] = [];
    for (const levels of [[0], [1]]) {
      const prefix = `models/levels-${levels.join("")}/1`;
      await publishModel(world.store, prefix, await trainOn({ kind: "levels", levels }), { codeVersion: "test" });
      loaded.push(await loadModel(world.store, prefix));
    }
    const graphs = loaded.map(({ manifest }) => manifest.graphs.reembed?.digest);
    expect(graphs[1]).toBe(graphs[0]);
    expect(loaded[1]?.reembed?.encoder).not.toBe(loaded[0]?.reembed?.encoder);
    const ref = cohort[0]?.bag as BagRef;
    const [coarse, fine] = [await reembed(loaded[0] as LoadedModel, ref), await reembed(loaded[1] as LoadedModel, ref)];
    expect(fine.n).toBeGreaterThan(coarse.n);
  });

  it("refuses bags of one magnification, in training and in serving", async () => {
    const refused = { code: "GEOMETRY_MISMATCH", details: { field: "levelCount", expected: "3", found: "1" } };
    const features = { dtype: "F32", data: new Float32Array(4 * D) } as const;
    const coords = new Int32Array(8);
    const bag = await writeBag(world.store, "bags/", {
      n: 4,
      d: D,
      features,
      coords,
      metadata: { encoder: "made-up" },
    });
    await expect(trainOn(MIXER, { bags: [...cohort, { bag, label: 0 }] })).rejects.toMatchObject(refused);
    const loaded = await loadModel(world.store, "models/contextualised/1");
    await expect(predictBag(world, loaded, bag)).rejects.toMatchObject(refused);
    await expect(reembed(loaded, bag)).rejects.toMatchObject(refused);
  });

  it("gives the same of a bag whose rows lie in another order", async () => {
    const loaded = await loadModel(world.store, "models/contextualised/1");
    const ref = cohort[0]?.bag as BagRef;
    const bag = await readBag(world.store, ref);
    const rows = createRng(3n).shuffle([...Array(bag.n).keys()]);
    const pick = <T extends Float32Array | Int32Array | Uint8Array>(values: T | undefined, width: number) =>
      rows.flatMap((row) => [...(values?.slice(row * width, (row + 1) * width) ?? [])]);
    const shuffled = await writeBag(world.store, "bags/", {
      ...bag,
      features: { dtype: "F32", data: Float32Array.from(pick(bag.features.data as Float32Array, D)) },
      coords: Int32Array.from(pick(bag.coords, 2)),
      level: Uint8Array.from(pick(bag.level, 1)),
    });
    const [a, b]: BagPrediction[] = [await predictBag(world, loaded, ref), await predictBag(world, loaded, shuffled)];
    expect(b?.probabilities[1]).toBeCloseTo(a?.probabilities[1] ?? Number.NaN, 5);
  });
});
