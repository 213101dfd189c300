import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { BagRef } from "@parfocal/bags";
import { createRng } from "@parfocal/metrics";
import { buildModel, initialiseParameters } from "@parfocal/models";
import { aggregateV1, commonV1, reembedV1 } from "@parfocal/protocol";
import { createChannelTo, createSilentLogger, createStageClient } from "@parfocal/runtime";
import { aggregateConfigFromEnv, startAggregate } from "@parfocal/service-aggregate";
import { reembedConfigFromEnv, startReembed } from "@parfocal/service-reembed";
import { type ObjectStore, openStore, uriFromKey } from "@parfocal/store";
import { type LabelledBag, loadModel } from "@parfocal/training";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { publishPackage } from "../../libs/training/src/package/publish-model.ts";
import { MAGNIFICATION_WIDTH, plantMagnifications } from "../lib/planted-magnifications.ts";

/** A mixer small enough to train in seconds; its regions see one compartment of the planted slides. */
const MIXER = { regionTiles: 2, levelCount: 3, width: 8, heads: 2, depth: 1 };
const { OUTPUT_COMPRESSED, OUTPUT_CONTEXTUALISED } = commonV1.RegionMixer_Output;

let store: ObjectStore;
let stages: Awaited<ReturnType<typeof startStages>>;
let cohort: LabelledBag[];
let mixer: commonV1.ModelReference;

beforeAll(async () => {
  const uri = pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-e2e-"))).href;
  store = openStore(uri);
  stages = await startStages(uri);
  cohort = await plantMagnifications(store, { nTrain: 8, nValidation: 8, nTest: 8, side: 2, seed: 3n });
  mixer = await publishMixer();
});
afterAll(async () => {
  await stages?.close();
  store?.close();
});

async function startStages(uri: string) {
  const env = { PORT: "0", PARFOCAL_THREADS: "1", PARFOCAL_STORE: uri };
  const logger = createSilentLogger();
  const aggregate = await startAggregate(aggregateConfigFromEnv(env), logger, env);
  const reembed = await startReembed(reembedConfigFromEnv(env), logger, env);
  const channels = [aggregate, reembed].map(({ server }) => createChannelTo(server.address));
  const [first, second] = channels as [(typeof channels)[0], (typeof channels)[0]];
  return {
    aggregate: createStageClient(aggregateV1.AggregateServiceDefinition, first).calls,
    reembed: createStageClient(reembedV1.ReembedServiceDefinition, second).calls,
    async close() {
      for (const channel of channels) channel.close();
      await reembed.close();
      await aggregate.close();
    },
  };
}

/** A package of a mixer without a head, as pretraining leaves it, with fresh weights. */
async function publishMixer(): Promise<commonV1.ModelReference> {
  const reembed = { kind: "region-mixer", ...MIXER };
  const task = { kind: "embedding", classes: [] };
  const model = buildModel({ dIn: MAGNIFICATION_WIDTH, reembed, head: { kind: "none" }, task });
  const weights = initialiseParameters(model.parameters, createRng(5n));
  const facts = {
    ...{ model: model.config, expects: { encoder: "planted" }, thresholds: [], areThresholdsFitted: false },
    ...{ validation: null, test: null, digests: { code: "test", config: "", trainingData: "" }, spec: {} },
    ...{ epoch: 0, nParameters: 0, history: [] },
  };
  const { manifestKey, digest } = await publishPackage(store, "models/mixer", { model, weights, facts }, {});
  return { manifest: { uri: uriFromKey(store, manifestKey), sha256: digest, sizeBytes: 0n } };
}

function referenceTo(ref: BagRef): commonV1.BagReference {
  return {
    object: { uri: uriFromKey(store, ref.key), sha256: ref.digest, sizeBytes: BigInt(ref.sizeBytes) },
    tileCount: ref.n,
    featureDim: ref.d,
    dtype: commonV1.DataType.DATA_TYPE_F32,
    hasCoordinates: ref.hasCoords,
  };
}

const PARTS = {
  train: commonV1.Part.PART_TRAIN,
  validation: commonV1.Part.PART_VALIDATION,
  test: commonV1.Part.PART_TEST,
} as const;

/** Four slides are a patient's, and two of one label among them a specimen. */
function labelled({ bag, label, part }: LabelledBag, index: number) {
  const patientKey = `p${Math.floor(index / 4)}`;
  const groupKey = `s${index % 2}`;
  return {
    bag: referenceTo(bag),
    labels: [label === 1 ? "yes" : "no"],
    part: PARTS[part ?? "train"],
    patientKey,
    groupKey,
  };
}

function trainRequest(name: string, regionMixer: Parameters<typeof commonV1.RegionMixer.fromPartial>[0]) {
  return aggregateV1.TrainRequest.fromPartial({
    bags: cohort.map(labelled),
    spec: {
      task: { kind: commonV1.Task_Kind.KIND_BINARY, classes: ["no", "yes"] },
      architecture: {
        reembedder: { kind: { $case: "regionMixer", value: { ...MIXER, ...regionMixer } } },
        head: { trunk: { hidden: [] }, kind: { $case: "abmil", value: { attentionWidth: 8, gated: true } } },
      },
      recipe: { epochs: 3, layerDecay: 0.75, frozenEpochs: 1, seed: 1n },
      groups: { kind: commonV1.GroupRule_Kind.KIND_MIN_LOSS },
    },
    packageUri: uriFromKey(store, `models/${name}`),
    checkpointUri: uriFromKey(store, `checkpoints/${name}`),
    startFrom: mixer,
  });
}

async function train(request: aggregateV1.TrainRequest): Promise<aggregateV1.TrainResponse["event"][]> {
  const events: aggregateV1.TrainResponse["event"][] = [];
  for await (const { event } of stages.aggregate.train(request)) events.push(event);
  return events;
}

async function reembed(model: commonV1.ModelReference | undefined, bag: commonV1.BagReference) {
  let made: commonV1.BagReference | undefined;
  for await (const { event } of stages.reembed.reembed({ model, bag })) {
    if (event?.$case === "bag") made = event.value;
  }
  if (made === undefined) throw new Error("no bag came");
  return made;
}

function bagAt(index: number): commonV1.BagReference {
  const bag = cohort[index]?.bag;
  if (bag === undefined) throw new Error(`the cohort has no bag ${index}`);
  return referenceTo(bag);
}

describe("a mixer without a head", () => {
  it("re-embeds bags of several magnifications", async () => {
    expect(await reembed(mixer, bagAt(0))).toMatchObject({ tileCount: 16 * 21, featureDim: 8, hasCoordinates: true });
  });

  it("decides nothing, and says so", async () => {
    const [model, bag] = [mixer, bagAt(0)];
    const refused = { code: "PRECONDITION_FAILED" };
    await expect(stages.aggregate.predict({ model, bag })).rejects.toMatchObject(refused);
    await expect(stages.aggregate.attention({ model, bag })).rejects.toMatchObject(refused);
    const bags = [aggregateV1.LabelledBag.fromPartial({ bag, labels: ["yes"] })];
    await expect(stages.aggregate.evaluate({ model, bags })).rejects.toMatchObject(refused);
  });
});

describe.each([
  ["contextualised", OUTPUT_CONTEXTUALISED, 16 * 21, 8],
  ["compressed", OUTPUT_COMPRESSED, 4, 32],
] as const)("fine-tuning it with tiles %s", (name, output, nRows, width) => {
  let published: aggregateV1.PublishedEvent;

  beforeAll(async () => {
    const last = (await train(trainRequest(name, { output, dropout: 0.1 }))).at(-1);
    if (last?.$case !== "published") throw new Error(`no model came: ${JSON.stringify(last)}`);
    published = last.value;
  });

  it("publishes a model that says where it is from, and figures of specimens", async () => {
    expect(published).toMatchObject({ reembedder: "region-mixer", head: "gated-abmil", encoder: "planted" });
    const { manifest } = await loadModel(store, `models/${name}`);
    expect(manifest.digests.startFrom).toBe(mixer.manifest?.sha256);
    expect(manifest.spec).toMatchObject({ layerDecay: 0.75, frozenEpochs: 1, groups: { kind: "min-loss" } });
    expect(published.test).toMatchObject({ slideCount: 8, patientCount: 2 });
    const names = published.test?.metrics.map((metric) => metric.name);
    expect(names).toContain("auroc");
    expect(names).toContain("mean_auroc");
    expect(manifest.test).toMatchObject({ nCases: 4, groups: { nBags: 8 } });
  });

  it("answers at once when it is asked again", async () => {
    expect(await train(trainRequest(name, { output, dropout: 0.1 }))).toEqual([
      { $case: "published", value: published },
    ]);
  });

  it("predicts and weighs rows by both stages as in one", async () => {
    const { model } = published;
    const made = await reembed(model, bagAt(1));
    expect(made).toMatchObject({ tileCount: nRows, featureDim: width, hasCoordinates: true });
    const [inOne, inTwo] = await Promise.all([bagAt(1), made].map((bag) => stages.aggregate.attention({ model, bag })));
    expect(inOne?.attention?.shape).toEqual([nRows, 1]);
    expect(inOne?.coordinates?.shape).toEqual([nRows, 2]);
    expect(inTwo?.attention).toEqual(inOne?.attention);
    expect(inTwo?.coordinates).toEqual(inOne?.coordinates);
    expect(inTwo?.prediction?.probabilities).toEqual(inOne?.prediction?.probabilities);
  });

  it("evaluates by specimens", async () => {
    const bags = cohort.slice(-8).map((each, i) => aggregateV1.LabelledBag.fromPartial(labelled(each, i)));
    const { evaluation, predictions } = await stages.aggregate.evaluate({ model: published.model, bags });
    expect(predictions).toHaveLength(8);
    expect(evaluation).toMatchObject({ slideCount: 8, patientCount: 2 });
    const [auroc, ofMeans] = ["auroc", "mean_auroc"].map((metric) => {
      return evaluation?.metrics.find((each) => each.name === metric && each.label === "");
    });
    expect(auroc?.value).toBeDefined();
    expect(ofMeans?.value).toBeDefined();
  });
});

describe("a training that starts from a model", () => {
  it("is refused when that is another one", async () => {
    const request = trainRequest("wide", { width: 16 });
    await expect(train(request)).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
      message: expect.stringContaining("reembed.width is 16, in the model to start from 8") as string,
    });
    const manifest = { ...mixer.manifest, sha256: "0".repeat(64) } as commonV1.ObjectReference;
    await expect(train({ ...trainRequest("other", {}), startFrom: { manifest } })).rejects.toMatchObject({
      code: "CORRUPT",
    });
    const missing = { ...manifest, uri: uriFromKey(store, "models/none/manifest.json") };
    await expect(train({ ...trainRequest("none", {}), startFrom: { manifest: missing } })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });
});
