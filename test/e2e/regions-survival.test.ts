import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { plantMagnified } from "../../cli/src/cohort/planted-magnifications.ts";
import { builtRegions, regionNames, uploadMagnified } from "../lib/pretrain-and-train.ts";
import { metadataOf, PARENT } from "../lib/requests.ts";
import {
  type Clients,
  type ServiceEnv,
  type ServiceProcess,
  startServiceProcess,
  withClients,
} from "../lib/services.ts";

describe("building regions by processes that are killed", () => {
  const slides = plantMagnified(12, 2, 9n);
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
    return clients.bags.buildRegions({ parent: PARENT, slides: names.map((bags) => ({ bags })) });
  };
  const untilDone = async (clients: Clients, name: string, nSlides: number) => {
    for await (const { operation: state } of clients.watching.watchOperation({ name }))
      if ((metadataOf(state).counters.done ?? 0) >= nSlides) return;
  };
  /** Names of the region bags that nothing disturbed. */
  const undisturbed = async (): Promise<string[]> => {
    const env = await newStore();
    const stage = await start("pretrain", env);
    const gateway = await start("gateway", { ...env, PARFOCAL_PRETRAIN_ADDRESS: stage.address });
    const names = await withClients(gateway.address, async (clients) =>
      regionNames(await builtRegions(clients, await begin(clients))),
    );
    await Promise.all([gateway, stage].map((service) => service.end("SIGTERM")));
    return names;
  };

  it("is finished by the next gateway and the next stage, with the same bags, each once", async () => {
    const expected = await undisturbed();
    const env = await newStore();
    const stage = await start("pretrain", env);
    const stageEnv = { ...env, PARFOCAL_PRETRAIN_ADDRESS: stage.address };
    const gateway = await start("gateway", stageEnv);
    const name = await withClients(gateway.address, async (clients) => {
      const operation = await begin(clients);
      await untilDone(clients, operation.name, 2);
      await Promise.all([gateway, stage].map((service) => service.end("SIGKILL")));
      return operation.name;
    });
    await start("pretrain", { ...env, PORT: stage.address.split(":")[1] ?? "" });
    const second = await start("gateway", stageEnv);
    await withClients(second.address, async (clients) => {
      const built = await builtRegions(clients, await clients.operations.getOperation({ name }));
      expect(regionNames(built)).toEqual(expected);
      const { bags } = await clients.bags.listBags({ parent: PARENT, pageSize: 1000 });
      const nMagnifications = slides.reduce((sum, { magnifications }) => sum + magnifications.length, 0);
      expect(bags).toHaveLength(nMagnifications + slides.length);
    });
  });
});
