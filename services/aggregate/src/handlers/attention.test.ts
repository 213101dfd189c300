import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type BagRef, float32FromTensor, parseSafetensors, writeBag } from "@parfocal/bags";
import { createRng, percentilesOf } from "@parfocal/metrics";
import { aggregateV1, commonV1 } from "@parfocal/protocol";
import { createSilentLogger, createStageClient, type StageClient } from "@parfocal/runtime";
import { bagReferenceFromRef } from "@parfocal/stage";
import { type ObjectStore, openStore, uriFromKey } from "@parfocal/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { aggregateConfigFromEnv, startAggregate } from "../server.ts";

const CLASSES = ["no", "yes"];
const D = 8;
const { KIND_CLASS_SCORE, KIND_GATED_ATTENTION } = commonV1.MapMeaning_Kind;
const { OVER_EMBEDDING, OVER_INSTANCE } = commonV1.MaxHead_Over;

const GATED = commonV1.AbmilHead.fromPartial({ attentionWidth: 4, gated: true });

const cleanups: (() => unknown)[] = [];
let store: ObjectStore;
let calls: StageClient<typeof aggregateV1.AggregateServiceDefinition>["calls"];
let bags: BagRef[];

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-attention-"));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const { href: uri } = pathToFileURL(folder);
  store = openStore(uri);
  cleanups.push(() => store.close());
  bags = await Promise.all(Array.from({ length: 8 }, (_, i) => writeTiles(6, i)));
  const env = { PORT: "0", PARFOCAL_STORE: uri, PARFOCAL_THREADS: "1" };
  const stage = await startAggregate(aggregateConfigFromEnv(env), createSilentLogger(), env);
  cleanups.push(() => stage.close());
  const client = createStageClient(aggregateV1.AggregateServiceDefinition, stage.server.address);
  cleanups.push(() => client.close());
  calls = client.calls;
});
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function writeTiles(n: number, seed: number): Promise<BagRef> {
  const rng = createRng(3n).fork(`bag ${seed}`);
  const data = Float32Array.from({ length: n * D }, () => rng.normal());
  return writeBag(store, "bags/", { n, d: D, features: { dtype: "F32", data }, metadata: {} });
}

/** Trains a head for an epoch; gives the package. */
async function trained(name: string, kind: NonNullable<commonV1.Head["kind"]>): Promise<commonV1.ModelReference> {
  const request = aggregateV1.TrainRequest.fromPartial({
    spec: {
      task: { kind: commonV1.Task_Kind.KIND_BINARY, classes: CLASSES },
      architecture: { head: { trunk: { hidden: [4] }, kind } },
      recipe: { epochs: 1, selection: commonV1.Recipe_Selection.SELECTION_LAST },
      split: { validationFraction: 0.25 },
    },
    bags: bags.map((bag, i) => ({ bag: bagReferenceFromRef(store, bag), labels: [CLASSES[i % 2] ?? ""] })),
    packageUri: uriFromKey(store, `projects/test/models/${name}`),
    checkpointUri: uriFromKey(store, `projects/test/checkpoints/${name}`),
  });
  for await (const { event } of calls.train(request)) {
    if (event?.$case === "published") return event.value.model ?? expect.unreachable("no model");
  }
  return expect.unreachable("nothing was published");
}

async function attend(model: commonV1.ModelReference, bag: BagRef, includePercentiles = false) {
  return calls.attention({ model, bag: bagReferenceFromRef(store, bag), includePercentiles });
}

function floatsOf(array: commonV1.ArrayResult | undefined): Float32Array {
  if (array?.value?.$case !== "inline") throw new Error("the array did not come inline");
  return new Float32Array(Uint8Array.from(array.value.value).buffer);
}

describe("attention of the largest instance", () => {
  let model: commonV1.ModelReference;
  beforeAll(async () => {
    model = await trained("instance", { $case: "max", value: { over: OVER_INSTANCE } });
  });

  it("is every tile's own logits, of which the slide's are those of the critical tile", async () => {
    const { attention, mapLabels, meanings, percentiles, prediction } = await attend(model, bags[0] as BagRef);
    expect(attention?.shape).toEqual([6, 2]);
    expect(mapLabels).toEqual(CLASSES);
    expect(meanings.map(({ kind }) => kind)).toEqual([KIND_CLASS_SCORE, KIND_CLASS_SCORE]);
    expect(meanings[0]?.description).toContain("the tile's own class score");
    expect(percentiles).toBeUndefined();
    const scores = floatsOf(attention);
    const margins = Array.from({ length: 6 }, (_, tile) => (scores[2 * tile + 1] ?? 0) - (scores[2 * tile] ?? 0));
    const probability = 1 / (1 + Math.exp(-Math.max(...margins)));
    expect(new Set(margins).size).toBe(6);
    expect(prediction?.probabilities[1]?.probability).toBeCloseTo(probability, 5);
  });

  it("comes with where each stands within its map when that is asked for", async () => {
    const { attention, percentiles } = await attend(model, bags[0] as BagRef, true);
    expect(percentiles).toMatchObject({ shape: [6, 2], dtype: commonV1.DataType.DATA_TYPE_F32 });
    const [scores, places] = [floatsOf(attention), floatsOf(percentiles)];
    for (const [i, score] of scores.entries()) {
      const own = Array.from(scores).filter((_, j) => j % 2 === i % 2);
      const nLower = own.filter((other) => other < score).length;
      const nEqual = own.filter((other) => other === score).length;
      expect(places[i]).toBeCloseTo((100 * (nLower + nEqual / 2)) / own.length, 4);
    }
  });

  it("goes through the store when it is too large for a message, percentiles as well", async () => {
    const large = await writeTiles(140_000, 99);
    const { attention, percentiles } = await attend(model, large, true);
    const read = async (array: commonV1.ArrayResult | undefined) => {
      if (array?.value?.$case !== "object") throw new Error("a large array came inline");
      const key = array.value.value.uri.slice(store.rootUri.length).replace(/^\//, "");
      const { bytes } = await store.get(key);
      const tensor = parseSafetensors(bytes).tensors.get("values");
      return tensor === undefined ? expect.unreachable("no values") : float32FromTensor(tensor);
    };
    const [scores, places] = await Promise.all([read(attention), read(percentiles)]);
    expect([scores.length, places.length]).toEqual([280_000, 280_000]);
    const second = Float32Array.from({ length: 140_000 }, (_, tile) => scores[2 * tile + 1] ?? 0);
    const expected = Float32Array.from(percentilesOf(second), (share) => 100 * share);
    expect(expected.findIndex((percentile, tile) => percentile !== places[2 * tile + 1])).toBe(-1);
  });
});

describe("attention of other heads", () => {
  it("is weights of one shared map where they pool by it", async () => {
    const model = await trained("gated", { $case: "abmil", value: GATED });
    const { attention, mapLabels, meanings } = await attend(model, bags[1] as BagRef);
    expect(floatsOf(attention).reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5);
    expect(mapLabels).toEqual([]);
    expect(meanings).toMatchObject([{ kind: KIND_GATED_ATTENTION }]);
  });

  it.each([
    ["mean", { $case: "mean", value: {} }],
    ["max", { $case: "max", value: { over: OVER_EMBEDDING } }],
  ] as const)("is refused where tiles have no score: %s", async (kind, head) => {
    const model = await trained(kind, head);
    await expect(attend(model, bags[0] as BagRef)).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
      message: expect.stringContaining(`a ${kind} head weighs no tiles: it has no attention to give`) as string,
    });
  });
});
