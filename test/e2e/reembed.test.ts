import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Bag, type BagRef, writeBag } from "@parfocal/bags";
import { isDomainError } from "@parfocal/errors";
import { createRng } from "@parfocal/metrics";
import { aggregateV1, commonV1, type gatewayV1, reembedV1 } from "@parfocal/protocol";
import { createChannelTo, createSilentLogger, createStageClient } from "@parfocal/runtime";
import { reembedConfigFromEnv, startReembed } from "@parfocal/service-reembed";
import { type ObjectStore, openStore, uriFromKey } from "@parfocal/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PLANTED_DIM, plantCohort } from "../lib/cohort.ts";
import { PARENT, trainedModel, trainRequest, uploadCohort } from "../lib/requests.ts";
import { type Services, startServices } from "../lib/services.ts";

/** Re-embedders that need no coordinates, small enough to train in seconds. */
const ARCHITECTURES: readonly (readonly [string, Parameters<typeof commonV1.Architecture.fromPartial>[0]])[] = [
  [
    "roformer",
    {
      reembedder: {
        kind: {
          $case: "roformer",
          value: { width: 32, heads: 2, rotary: commonV1.RoformerReembedder_Rotary.ROTARY_NONE },
        },
      },
      head: { trunk: { hidden: [] }, kind: { $case: "abmil", value: { attentionWidth: 16, gated: true } } },
    },
  ],
  [
    "r2t",
    {
      standardise: true,
      reembedder: { kind: { $case: "r2t", value: { stemWidth: 32, heads: 4, crmsaHeads: 4, regionNum: 4 } } },
      head: { trunk: { hidden: [] }, kind: { $case: "classAttention", value: { attentionWidth: 16, heads: 2 } } },
    },
  ],
];

describe.each(ARCHITECTURES)("a model with the %s re-embedder", (kind, architecture) => {
  const slides = plantCohort(40);
  let services: Services;
  let store: ObjectStore;
  let names: string[];
  let model: gatewayV1.Model;
  let stages: ReturnType<typeof stageClients>;

  beforeAll(async () => {
    const uri = pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-e2e-"))).href;
    store = openStore(uri);
    // So that large bags go block by block that are small enough for a test.
    services = await startServices({ PARFOCAL_STORE: uri, PARFOCAL_WHOLE_BAG_MB: "0" });
    stages = stageClients(services);
    names = await uploadCohort(services.clients, slides);
    const request = trainRequest(slides, names, { modelId: kind, epochs: 8 });
    if (request.spec !== undefined) request.spec.architecture = commonV1.Architecture.fromPartial(architecture);
    model = await trainedModel(services.clients, await services.clients.training.train(request));
  });
  afterAll(async () => {
    stages?.close();
    await services?.close();
    store?.close();
  });

  const reembed = async (bag: commonV1.BagReference, signal?: AbortSignal) => {
    const events: reembedV1.ReembedResponse["event"][] = [];
    const request = { model: model.reference, bag };
    for await (const { event } of stages.reembed.reembed(request, signal ? { signal } : {})) events.push(event);
    const last = events.at(-1);
    if (last?.$case !== "bag") throw new Error(`no bag came: ${JSON.stringify(events)}`);
    return { bag: last.value, nProgress: events.length - 1 };
  };
  const write = async (bag: Omit<Bag, "features" | "metadata">, metadata: Bag["metadata"] = {}) => {
    const features = { dtype: "F32", data: noise(bag.n * bag.d) } as const;
    return referenceTo(store, await writeBag(store, "bags/", { ...bag, features, metadata }));
  };

  it("is published in two stages and names its re-embedder", async () => {
    expect(model).toMatchObject({ reembedder: kind, featureDim: PLANTED_DIM });
    const folder = `${PARENT}/models/${kind}/versions/${model.name.split("/").at(-1)}/`;
    const { objects } = await store.list(folder);
    expect(objects.map(({ key }) => key.slice(folder.length))).toEqual(
      expect.arrayContaining(["aggregate.onnx", "manifest.json", "reembed.onnx", "weights.safetensors"]),
    );
  });

  it("predicts a bag by both stages as it does in one, and finds the re-embedded bag the second time", async () => {
    const { prediction: clientPrediction } = services.clients;
    const request = { model: model.name, bag: names[1] ?? "", includeAttention: false };
    const first = await clientPrediction.predict(request);
    const kept = (await store.list("cache/reembed/")).objects;
    expect(kept).toHaveLength(2);
    const second = await clientPrediction.predict({ ...request, includeAttention: true });
    expect((await store.list("cache/reembed/")).objects).toEqual(kept);
    expect(second.prediction?.probabilities).toEqual(first.prediction?.probabilities);
    expect(second.attention?.weights?.shape[1]).toBe(kind === "r2t" ? 2 : 1);

    const { bag } = await services.clients.bags.getBag({ name: names[1] ?? "" });
    const inOne = await stages.aggregate.predict({ model: model.reference, bag: bag?.reference });
    expect(inOne.prediction?.probabilities).toEqual(first.prediction?.probabilities);
  });

  it("evaluates bags as they were trained on and re-embedded ones alike", async () => {
    const { bag } = await services.clients.bags.getBag({ name: names[2] ?? "" });
    const raw = bag?.reference as commonV1.BagReference;
    const made = (await reembed(raw)).bag;
    const bags = [raw, made, raw].map((each) => aggregateV1.LabelledBag.fromPartial({ bag: each, labels: ["tumour"] }));
    const { predictions } = await stages.aggregate.evaluate({ model: model.reference, bags });
    expect(predictions[1]?.probabilities).toEqual(predictions[0]?.probabilities);
    expect(predictions[2]?.probabilities).toEqual(predictions[0]?.probabilities);
  });

  it("re-embeds joined slides of a patient one by one, and decides by the rows of all", {
    timeout: 120_000,
  }, async () => {
    const request = trainRequest(slides, names, { modelId: `${kind}-joined`, epochs: 2 });
    if (request.spec !== undefined) {
      request.spec.architecture = commonV1.Architecture.fromPartial(architecture);
      request.spec.groups = commonV1.GroupRule.fromPartial({ kind: commonV1.GroupRule_Kind.KIND_JOINED });
    }
    const joined = await trainedModel(services.clients, await services.clients.training.train(request));
    const before = (await store.list("cache/reembed/")).objects.length;
    const [first = "", ...moreBags] = names.filter((_, i) => slides[i]?.patient === slides[0]?.patient);
    expect(moreBags.length).toBeGreaterThan(0);
    const asked = { model: joined.name, includeAttention: false };
    const { prediction, rule } = await services.clients.prediction.predict({ ...asked, bag: first, moreBags });
    expect(rule).toBe(commonV1.GroupRule_Kind.KIND_JOINED);
    // A bag and a pointer for each slide.
    expect((await store.list("cache/reembed/")).objects).toHaveLength(before + 2 * (1 + moreBags.length));

    const references: commonV1.BagReference[] = [];
    for (const name of [first, ...moreBags]) {
      const { bag } = await services.clients.bags.getBag({ name });
      references.push(bag?.reference as commonV1.BagReference);
    }
    const [bag, ...others] = references;
    const inOne = await stages.aggregate.predict({ model: joined.reference, bag, moreBags: others });
    expect(inOne.prediction?.probabilities).toEqual(prediction?.probabilities);
    const alone = await services.clients.prediction.predict({ ...asked, bag: first });
    expect(alone.prediction?.probabilities).not.toEqual(prediction?.probabilities);
  });

  it("keeps coordinates and what is known of the slide, and answers at once when it is asked again", async () => {
    const coords = Int32Array.from({ length: 200 }, (_, i) => 256 * i);
    const source = await write({ n: 100, d: PLANTED_DIM, coords }, { slideId: "a", mpp: 0.5 });
    const first = await reembed(source);
    expect(first.bag).toMatchObject({ tileCount: 100, featureDim: 32, hasCoordinates: true });
    expect(first.nProgress).toBeGreaterThan(0);
    const again = await reembed(source);
    expect(again).toEqual({ bag: first.bag, nProgress: 0 });
    const both = await Promise.all([source, source].map((bag) => reembed(bag)));
    expect(both[0]?.bag).toEqual(both[1]?.bag);
  });

  it("predicts as before when what is kept of a bag was damaged", async () => {
    const request = { model: model.name, bag: names[3] ?? "", includeAttention: false };
    const keys = async () => (await store.list("cache/reembed/")).objects.map(({ key }) => key);
    const before = await keys();
    const { prediction } = await services.clients.prediction.predict(request);
    const made = (await keys()).filter((key) => !before.includes(key) && key.endsWith(".safetensors"));
    expect(made).toHaveLength(1);
    const [key = ""] = made;
    const { bytes } = await store.get(key);
    for (const damaged of [bytes.with(-7, (bytes.at(-7) ?? 0) ^ 0x55), bytes.subarray(0, 500)]) {
      await store.put(key, damaged);
      const again = await services.clients.prediction.predict(request);
      expect(again.prediction?.probabilities).toEqual(prediction?.probabilities);
      expect(Buffer.from((await store.get(key)).bytes).equals(bytes)).toBe(true);
    }
  });

  it("re-embeds a large bag block by block as it would in one run", { timeout: 60_000 }, async () => {
    const source = await write({ n: 5000, d: PLANTED_DIM });
    const { bag, nProgress } = await reembed(source);
    expect(nProgress).toBe(2);
    const inOne = await stages.aggregate.predict({ model: model.reference, bag: source });
    const inTwo = await stages.aggregate.predict({ model: model.reference, bag });
    for (const [i, { probability }] of (inTwo.prediction?.probabilities ?? []).entries()) {
      expect(probability).toBeCloseTo(inOne.prediction?.probabilities[i]?.probability ?? Number.NaN, 5);
    }
  });

  it("stops in the middle of a bag when it is cancelled, leaves nothing, and serves on", {
    timeout: 60_000,
  }, async () => {
    const source = await write({ n: 20_000, d: PLANTED_DIM });
    const before = (await store.list("cache/reembed/")).objects.length;
    const abort = new AbortController();
    const events = stages.reembed.reembed({ model: model.reference, bag: source }, { signal: abort.signal });
    const cancelled = (async () => {
      for await (const { event } of events) if (event?.$case === "progress") abort.abort();
    })();
    await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
    expect((await store.list("cache/reembed/")).objects).toHaveLength(before);
    const small = await write({ n: 10, d: PLANTED_DIM });
    expect((await reembed(small)).bag.tileCount).toBe(10);
  });

  it("leaves nothing of a bag that the engine reads whole, whenever it is cancelled, and serves on", {
    timeout: 120_000,
  }, async () => {
    await withWholeBags(store, async (whole) => {
      const source = await write({ n: 20_001, d: PLANTED_DIM });
      const before = (await store.list("cache/reembed/")).objects.length;
      let nCancelled = 0;
      for (const delayMs of [0, 5, 20, 80]) {
        const code = await codeOf(whole, { model: model.reference, bag: source }, AbortSignal.timeout(delayMs));
        if (code === undefined) break;
        expect(code).toMatch(/^(CANCELLED|DEADLINE_EXCEEDED)$/);
        nCancelled += 1;
        expect((await store.list("cache/reembed/")).objects).toHaveLength(before);
      }
      expect(nCancelled).toBeGreaterThan(0);
      expect(
        await codeOf(whole, { model: model.reference, bag: await write({ n: 11, d: PLANTED_DIM }) }),
      ).toBeUndefined();
    });
  });

  it.each([["width", { n: 4, d: 7 }, {}, "GEOMETRY_MISMATCH"]] as const)(
    "refuses a bag of another %s",
    async (_what, shape, metadata, code) => {
      await expect(reembed(await write(shape, metadata))).rejects.toMatchObject({ code });
    },
  );

  it("refuses what it made itself, and a bag whose content is another", async () => {
    const source = await write({ n: 40, d: PLANTED_DIM });
    const { bag } = await reembed(source);
    await expect(reembed(bag)).rejects.toMatchObject({ code: "GEOMETRY_MISMATCH" });
    const other = await write({ n: 41, d: PLANTED_DIM });
    const object = { ...other.object, sha256: "0".repeat(64) } as commonV1.ObjectReference;
    await expect(reembed({ ...other, object })).rejects.toMatchObject({ code: "CORRUPT" });
    await expect(reembed({ ...source, tileCount: 0 })).rejects.toMatchObject({ code: "EMPTY_BAG" });
  });
});

function stageClients({ aggregateAddress, reembedAddress }: Services) {
  const channels = [createChannelTo(aggregateAddress), createChannelTo(reembedAddress)] as const;
  return {
    aggregate: createStageClient(aggregateV1.AggregateServiceDefinition, channels[0]).calls,
    reembed: createStageClient(reembedV1.ReembedServiceDefinition, channels[1]).calls,
    close: () => channels.forEach((channel) => void channel.close()),
  };
}

type ReembedCalls = ReturnType<typeof stageClients>["reembed"];

/** Runs `body` on a re-embedding stage of its own that hands bags to its engine whole, as it does where nothing is set. */
async function withWholeBags(store: ObjectStore, body: (calls: ReembedCalls) => Promise<void>): Promise<void> {
  const env = { PORT: "0", PARFOCAL_THREADS: "1", PARFOCAL_STORE: uriFromKey(store, "") };
  const stage = await startReembed(reembedConfigFromEnv(env), createSilentLogger(), env);
  const channel = createChannelTo(stage.server.address);
  try {
    await body(createStageClient(reembedV1.ReembedServiceDefinition, channel).calls);
  } finally {
    channel.close();
    await stage.close();
  }
}

/** With which code a re-embedding fails; undefined when it does not. */
async function codeOf(
  calls: ReembedCalls,
  request: Parameters<ReembedCalls["reembed"]>[0],
  signal?: AbortSignal,
): Promise<string | undefined> {
  try {
    for await (const { event } of calls.reembed(request, signal ? { signal } : {})) expect(event).toBeDefined();
    return undefined;
  } catch (error) {
    if (isDomainError(error)) return error.code;
    throw error;
  }
}

function referenceTo(store: ObjectStore, ref: BagRef): commonV1.BagReference {
  return {
    object: { uri: uriFromKey(store, ref.key), sha256: ref.digest, sizeBytes: BigInt(ref.sizeBytes) },
    tileCount: ref.n,
    featureDim: ref.d,
    dtype: commonV1.DataType.DATA_TYPE_F32,
    hasCoordinates: ref.hasCoords,
  };
}

function noise(length: number): Float32Array {
  const rng = createRng(11n);
  return Float32Array.from({ length }, () => rng.normal());
}
