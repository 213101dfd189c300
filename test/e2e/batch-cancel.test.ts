import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type ObjectStore, openStore } from "@parfocal/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { enterBags, startBatch } from "../lib/batches.ts";
import { PLANTED_DIM, plantCohort } from "../lib/cohort.ts";
import { engineTicks, untilEnginesRest } from "../lib/engine-rest.ts";
import { metadataOf, PARENT, trainedModel, trainRequest, uploadCohort } from "../lib/requests.ts";
import { type Services, startServices } from "../lib/services.ts";

const PROJECT = PARENT.split("/").at(-1) ?? "";
/** Status CANCELLED of gRPC. */
const CANCELLED = 1;
/** Rows, of a step each: far more than are scored before the cancel arrives. */
const N_ROWS = 400;

describe("cancelling a batch", () => {
  const slides = plantCohort(24);
  let services: Services;
  let store: ObjectStore;
  let names: string[];
  let rows: string[];

  beforeAll(async () => {
    const uri = pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-e2e-"))).href;
    services = await startServices({ PARFOCAL_STORE: uri, PARFOCAL_BATCH_SHARD_ROWS: "1" });
    store = openStore(uri);
    const { clients } = services;
    names = await uploadCohort(clients, slides);
    await trainedModel(clients, await clients.training.train(trainRequest(slides, names, { epochs: 1 })));
    rows = await enterBags(store, PROJECT, { count: N_ROWS, n: 2000, d: PLANTED_DIM });
  });
  afterAll(async () => {
    store?.close();
    await services?.close();
  });

  /** Keys of what an operation has in the store, without the states that are written after its end. */
  const written = async (operation: string, folder: string): Promise<string[]> => {
    const id = operation.split("/").at(-1) ?? "";
    const { objects } = await store.list(`operations/${PROJECT}/${id}/${folder}`);
    return objects.map(({ key }) => key);
  };

  it("ends the operation, stops the engine, and writes no further row", async () => {
    const { clients } = services;
    const models = [`${PARENT}/models/tumour`];
    const { name } = await startBatch(clients, `bag\n${rows.join("\n")}\n`, { models });
    for await (const { operation } of clients.watching.watchOperation({ name })) {
      if ((metadataOf(operation).counters.scored ?? 0) > 0) break;
    }
    expect(engineTicks()).toBeGreaterThan(0);
    await clients.operations.cancelOperation({ name });
    const done = await clients.operations.waitOperation({ name }, { timeoutMs: 60_000 });
    expect(done).toMatchObject({ done: true, result: { $case: "error", value: { code: CANCELLED } } });
    const { cancelRequested, counters } = metadataOf(done);
    expect(cancelRequested).toBe(true);
    expect(counters.scored).toBeLessThan(N_ROWS);
    const [steps, shards] = [await written(name, "steps/"), await written(name, "tmp/batch/shards/")];
    // All rows but those of before would still be written if anything went on.
    expect(shards.length).toBeLessThan(N_ROWS);
    await untilEnginesRest();
    // The engine is free: it answers others, and nothing was added meanwhile.
    await clients.prediction.predict({ model: models[0]!, bag: names[0]! });
    expect(await written(name, "steps/")).toEqual(steps);
    expect(await written(name, "tmp/batch/shards/")).toEqual(shards);
    expect(await written(name, "results/")).toEqual([]);
    expect(await clients.operations.getOperation({ name })).toEqual(done);
  });
});
