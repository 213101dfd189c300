import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { type ObjectStore, openStore } from "@parfocal/store";
import { afterEach, describe, expect, it } from "vitest";
import { batchResponse, digestsOf, readResult, startBatch } from "../lib/batches.ts";
import { plantCohort } from "../lib/cohort.ts";
import { PARENT, trainedModel, trainRequest, uploadCohort } from "../lib/requests.ts";
import { type ServiceEnv, type ServiceProcess, startServiceProcess, withClients } from "../lib/services.ts";

/** Where the store keeps an operation. */
function prefixOf(operation: string): string {
  const [, project = "", , id = ""] = operation.split("/");
  return `operations/${project}/${id}/`;
}

/** Waits for ends of steps in the journal: progress is told once a second, by when a quick machine is done. */
async function untilJournaled(store: ObjectStore, operation: string, nSteps: number): Promise<void> {
  for (;;) {
    const { objects } = await store.list(`${prefixOf(operation)}steps/`);
    if (objects.length >= nSteps) break;
    await sleep(2);
  }
}

/** How the store says that an operation stands, whoever serves it. */
async function storedOutcome(store: ObjectStore, operation: string): Promise<string> {
  const { bytes } = await store.get(`${prefixOf(operation)}state.json`);
  const stored = JSON.parse(new TextDecoder().decode(bytes)) as {
    readonly state: { readonly outcome: { readonly kind: string } };
  };
  return stored.state.outcome.kind;
}

describe("a batch over processes", () => {
  const slides = plantCohort(40);
  const running: ServiceProcess[] = [];

  const start = async (name: Parameters<typeof startServiceProcess>[0], env: ServiceEnv) => {
    const service = await startServiceProcess(name, env);
    running.push(service);
    return service;
  };
  afterEach(async () => {
    await Promise.all(running.splice(0).map((service) => service.end("SIGKILL")));
  });

  it("goes on after kill -9 of the gateway and of a replica, with the bytes of an undisturbed run", async () => {
    const store = { PARFOCAL_STORE: pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-e2e-"))).href };
    const objects = openStore(store.PARFOCAL_STORE);
    const [first, second] = [await start("aggregate", store), await start("aggregate", store)];
    const env = {
      ...store,
      PARFOCAL_AGGREGATE_ADDRESS: `${first.address},${second.address}`,
      PARFOCAL_BATCH_SHARD_ROWS: "1",
      PARFOCAL_BATCH_CALLS_PER_REPLICA: "1",
    };
    const gateway = await start("gateway", env);
    const batch = await withClients(gateway.address, async (clients) => {
      const names = await uploadCohort(clients, slides);
      await trainedModel(clients, await clients.training.train(trainRequest(slides, names, { epochs: 2 })));
      const manifest = `bag\n${names.join("\n")}\n`;
      const request = { models: [`${PARENT}/models/tumour`] };
      const undisturbed = await batchResponse(clients, await startBatch(clients, manifest, request));
      // A replica that holds its call keeps the batch from ending before the kill, however quick the machine.
      second.process.kill("SIGSTOP");
      const operation = await startBatch(clients, manifest, request);
      await untilJournaled(objects, operation.name, 3);
      await Promise.all([gateway.end("SIGKILL"), second.end("SIGKILL")]);
      expect(await storedOutcome(objects, operation.name)).toBe("running");
      return { name: operation.name, undisturbed };
    });
    const resumed = await start("gateway", env);
    await withClients(resumed.address, async (clients) => {
      const operation = await clients.operations.getOperation({ name: batch.name });
      const response = await batchResponse(clients, operation);
      expect(response).toMatchObject({ rowCount: 40n, scoredCount: 40n });
      expect(digestsOf(response)).toEqual(digestsOf(batch.undisturbed));
      const rows = await readResult(clients, batch.name, "predictions.csv");
      expect(new Set(rows.map(({ bag }) => bag)).size).toBe(40);
    });
    objects.close();
  });

  it("waits for a stage that is away and for one that has no room", async () => {
    const store = { PARFOCAL_STORE: pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-e2e-"))).href };
    const aggregate = await start("aggregate", store);
    const env = { ...store, PARFOCAL_AGGREGATE_ADDRESS: aggregate.address, PARFOCAL_BATCH_SHARD_ROWS: "2" };
    const gateway = await start("gateway", { ...env, PARFOCAL_BATCH_CALLS_PER_REPLICA: "8" });
    await withClients(gateway.address, async (clients) => {
      const names = await uploadCohort(clients, slides);
      await trainedModel(clients, await clients.training.train(trainRequest(slides, names, { epochs: 2 })));
      await aggregate.end("SIGTERM");
      const manifest = `bag\n${names.join("\n")}\n`;
      const operation = await startBatch(clients, manifest, { models: [`${PARENT}/models/tumour`] });
      // One call at a time where the gateway makes eight: seven of them are refused until there is room.
      const port = aggregate.address.split(":")[1] ?? "";
      await start("aggregate", { ...store, PORT: port, PARFOCAL_MAX_CONCURRENT_PER_METHOD: "1" });
      expect(await batchResponse(clients, operation)).toMatchObject({ scoredCount: 40n, failedCount: 0n });
    });
  });
});
