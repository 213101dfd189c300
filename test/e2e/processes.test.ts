import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { grpcHealthV1, pretrainV1, reembedV1 } from "@parfocal/protocol";
import { createStageClient } from "@parfocal/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { plantCohort } from "../lib/cohort.ts";
import { metadataOf, trainedModel, trainRequest, uploadCohort } from "../lib/requests.ts";
import { type ServiceEnv, type ServiceProcess, startServiceProcess, withClients } from "../lib/services.ts";

const SERVING = grpcHealthV1.HealthCheckResponse_ServingStatus.SERVING;

describe("four processes", () => {
  const slides = plantCohort(24);
  const running: ServiceProcess[] = [];
  let env: ServiceEnv;

  const start = async (name: Parameters<typeof startServiceProcess>[0], more: ServiceEnv = {}) => {
    const service = await startServiceProcess(name, { ...env, ...more });
    running.push(service);
    return service;
  };
  // So that an epoch is told of when it ends, and a process can be killed between two.
  const freshEnv = async () => ({
    PARFOCAL_STORE: pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-e2e-"))).href,
    PARFOCAL_CHECKPOINT_MS: "0",
  });
  beforeEach(async () => {
    env = await freshEnv();
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((service) => service.end("SIGKILL")));
  });

  /** Weights of a model that nothing disturbed: what a disturbed training must equal. */
  const undisturbed = async (epochs: number): Promise<string> => {
    const aggregate = await start("aggregate");
    const gateway = await start("gateway", { PARFOCAL_AGGREGATE_ADDRESS: aggregate.address });
    const sha256 = await withClients(gateway.address, async (clients) => {
      const names = await uploadCohort(clients, slides);
      const model = await trainedModel(clients, await clients.training.train(trainRequest(slides, names, { epochs })));
      return model.reference?.manifest?.sha256 ?? "";
    });
    await gateway.end("SIGTERM");
    await aggregate.end("SIGTERM");
    return sha256;
  };

  it("are healthy and refuse empty requests", async () => {
    const [reembed, pretrain] = await Promise.all([start("reembed"), start("pretrain")]);
    for (const { address } of [reembed, pretrain]) {
      const health = createStageClient(grpcHealthV1.HealthDefinition, address);
      expect((await health.calls.check({})).status).toBe(SERVING);
      health.close();
    }
    const reembedding = createStageClient(reembedV1.ReembedServiceDefinition, reembed.address);
    const first = reembedding.calls.reembed({})[Symbol.asyncIterator]().next();
    await expect(first).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    reembedding.close();
    const pretraining = createStageClient(pretrainV1.PretrainServiceDefinition, pretrain.address);
    // An empty URI lies in no store.
    const second = pretraining.calls.pretrain({})[Symbol.asyncIterator]().next();
    await expect(second).rejects.toMatchObject({ code: "FORBIDDEN" });
    const third = pretraining.calls.buildRegions({})[Symbol.asyncIterator]().next();
    await expect(third).rejects.toMatchObject({ code: "FORBIDDEN" });
    pretraining.close();
  });

  it("end in good order on SIGTERM", async () => {
    const aggregate = await start("aggregate");
    const gateway = await start("gateway", { PARFOCAL_AGGREGATE_ADDRESS: aggregate.address });
    expect(await gateway.end("SIGTERM")).toBe(0);
    expect(await aggregate.end("SIGTERM")).toBe(0);
  });

  it("refuse a second gateway on the same store", async () => {
    await start("gateway");
    await expect(startServiceProcess("gateway", env)).rejects.toThrow("CONFLICT");
  });

  it("finish a training after kill -9 of the stage, and publish what an undisturbed one publishes", async () => {
    const expected = await undisturbed(40);
    env = await freshEnv();
    const first = await start("aggregate");
    const gateway = await start("gateway", { PARFOCAL_AGGREGATE_ADDRESS: first.address });
    await withClients(gateway.address, async (clients) => {
      const names = await uploadCohort(clients, slides);
      const operation = await clients.training.train(trainRequest(slides, names, { epochs: 40 }));
      for await (const { operation: state } of clients.watching.watchOperation({ name: operation.name })) {
        if ((metadataOf(state).counters.epoch ?? 0) >= 3) break;
      }
      await first.end("SIGKILL");
      const port = first.address.split(":")[1] ?? "";
      await start("aggregate", { PORT: port });
      const model = await trainedModel(clients, operation);
      expect(model.history).toHaveLength(40);
      expect(model.reference?.manifest?.sha256).toBe(expected);
    });
  });

  it("finish a training after kill -9 of the gateway, and publish it once", async () => {
    const expected = await undisturbed(40);
    env = await freshEnv();
    const aggregate = await start("aggregate");
    const stage = { PARFOCAL_AGGREGATE_ADDRESS: aggregate.address };
    const gateway = await start("gateway", stage);
    const name = await withClients(gateway.address, async (clients) => {
      const names = await uploadCohort(clients, slides);
      const operation = await clients.training.train(trainRequest(slides, names, { epochs: 40 }));
      for await (const { operation: state } of clients.watching.watchOperation({ name: operation.name })) {
        if ((metadataOf(state).counters.epoch ?? 0) >= 3) break;
      }
      await gateway.end("SIGKILL");
      return operation.name;
    });
    const second = await start("gateway", stage);
    await withClients(second.address, async (clients) => {
      const model = await trainedModel(clients, await clients.operations.getOperation({ name }));
      expect(model.reference?.manifest?.sha256).toBe(expected);
      const { models } = await clients.models.listModels({ parent: "projects/test" });
      expect(models).toHaveLength(1);
    });
  });
});
