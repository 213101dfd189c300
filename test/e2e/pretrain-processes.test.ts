import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { plantMagnified } from "../../cli/src/cohort/planted-magnifications.ts";
import { builtRegions, pretrainRequest, regionNames, uploadMagnified } from "../lib/pretrain-and-train.ts";
import { metadataOf, PARENT, trainedModel } from "../lib/requests.ts";
import {
  type Clients,
  type ServiceEnv,
  type ServiceProcess,
  startServiceProcess,
  withClients,
} from "../lib/services.ts";

/** Regions of a pretraining that lasts long enough to be cut off. */
const TOTAL = 1600n;

describe("a pretraining by processes that are killed", () => {
  const slides = plantMagnified(6, 2, 9n);
  const running: ServiceProcess[] = [];

  const start = async (name: "gateway" | "pretrain", env: ServiceEnv) => {
    const service = await startServiceProcess(name, env);
    running.push(service);
    return service;
  };
  const newStore = async (): Promise<ServiceEnv> => ({
    PARFOCAL_STORE: pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-e2e-"))).href,
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((service) => service.end("SIGKILL")));
  });

  const begin = async (clients: Clients) => {
    const names = await uploadMagnified(clients, slides);
    const request = { parent: PARENT, slides: names.map((bags) => ({ bags })) };
    const regions = regionNames(await builtRegions(clients, await clients.bags.buildRegions(request)));
    return clients.training.pretrain(pretrainRequest(regions, { totalRegions: TOTAL }));
  };
  const untilUpdate = async (clients: Clients, name: string, update: number) => {
    for await (const { operation: state } of clients.watching.watchOperation({ name })) {
      if ((metadataOf(state).counters.update ?? 0) >= update) return;
    }
  };
  /** Digest of what a pretraining that nothing disturbed publishes. */
  let expected: string;
  beforeAll(async () => {
    const env = await newStore();
    const stage = await start("pretrain", env);
    const gateway = await start("gateway", { ...env, PARFOCAL_PRETRAIN_ADDRESS: stage.address });
    const model = await withClients(gateway.address, async (clients) => trainedModel(clients, await begin(clients)));
    await Promise.all([gateway, stage].map((service) => service.end("SIGTERM")));
    expected = model.reference?.manifest?.sha256 ?? "";
  });

  it("is finished by the next gateway after kill -9, and published once, as an undisturbed one", async () => {
    const env = await newStore();
    const stage = await start("pretrain", env);
    const stageEnv = { ...env, PARFOCAL_PRETRAIN_ADDRESS: stage.address };
    const gateway = await start("gateway", stageEnv);
    const name = await withClients(gateway.address, async (clients) => {
      const operation = await begin(clients);
      await untilUpdate(clients, operation.name, 5);
      await gateway.end("SIGKILL");
      return operation.name;
    });
    const second = await start("gateway", stageEnv);
    await withClients(second.address, async (clients) => {
      const model = await trainedModel(clients, await clients.operations.getOperation({ name }));
      expect(model.reference?.manifest?.sha256).toBe(expected);
      expect((await clients.models.listModels({ parent: PARENT })).models).toHaveLength(1);
    });
  });

  it("goes on from its checkpoint after kill -9 of the stage, and publishes the same", async () => {
    const env = await newStore();
    const stage = await start("pretrain", env);
    const gateway = await start("gateway", { ...env, PARFOCAL_PRETRAIN_ADDRESS: stage.address });
    await withClients(gateway.address, async (clients) => {
      const operation = await begin(clients);
      await untilUpdate(clients, operation.name, 5);
      await stage.end("SIGKILL");
      await start("pretrain", { ...env, PORT: stage.address.split(":")[1] ?? "" });
      const model = await trainedModel(clients, operation);
      expect(model.reference?.manifest?.sha256).toBe(expected);
    });
  });
});
