import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { plantCohort } from "../lib/cohort.ts";
import { metadataOf, trainedModel, trainRequest, uploadCohort } from "../lib/requests.ts";
import { type ServiceEnv, type ServiceProcess, startServiceProcess, withClients } from "../lib/services.ts";
import { startTemporalServer, type TemporalServer, whyNoTemporal } from "../lib/temporal-server.ts";

const EPOCHS = 100;
const reason = whyNoTemporal();

describe.skipIf(reason !== undefined)(
  `gateway and workers of their own${reason === undefined ? "" : `: ${reason}`}`,
  () => {
    const running: ServiceProcess[] = [];
    let server: TemporalServer | undefined;

    afterEach(async () => {
      await Promise.all(running.splice(0).map((service) => service.end("SIGKILL")));
      await server?.stop();
    });
    const start = async (name: Parameters<typeof startServiceProcess>[0], env: ServiceEnv) => {
      const service = await startServiceProcess(name, env);
      running.push(service);
      return service;
    };

    it("go on with a training from its last checkpoint after kill -9 of the worker", async () => {
      server = await startTemporalServer();
      const store = pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-e2e-"))).href;
      const stage = await start("aggregate", { PARFOCAL_STORE: store, PARFOCAL_CHECKPOINT_MS: "0" });
      const env = {
        PARFOCAL_STORE: store,
        PARFOCAL_AGGREGATE_ADDRESS: stage.address,
        PARFOCAL_WORKFLOWS: "temporal",
        PARFOCAL_TEMPORAL_ADDRESS: server.address,
        PARFOCAL_TEMPORAL_LOST_AFTER_MS: "2000",
      };
      const gateway = await start("gateway", { ...env, PARFOCAL_TEMPORAL_ROLE: "client" });
      const worker = await start("gateway", { ...env, PARFOCAL_TEMPORAL_ROLE: "worker" });
      const slides = plantCohort(24);
      await withClients(gateway.address, async (clients) => {
        const names = await uploadCohort(clients, slides);
        const operation = await clients.training.train(trainRequest(slides, names, { epochs: EPOCHS }));
        let killedAt = 0;
        let least = EPOCHS;
        for await (const { operation: state } of clients.watching.watchOperation({ name: operation.name })) {
          const { epoch = 0 } = metadataOf(state).counters;
          if (killedAt > 0 && epoch > 0) least = Math.min(least, epoch);
          if (killedAt > 0 || epoch < EPOCHS / 2) continue;
          killedAt = epoch;
          await worker.end("SIGKILL");
          await start("gateway", { ...env, PARFOCAL_TEMPORAL_ROLE: "worker" });
        }
        // A training that began again would take seconds to come so far.
        expect(killedAt).toBeGreaterThan(0);
        expect(least).toBeGreaterThanOrEqual(killedAt);
        expect((await trainedModel(clients, operation)).history).toHaveLength(EPOCHS);
      });
      // A worker runs steps and serves nobody.
      const listing = withClients(running.at(-1)?.address ?? "", (clients) =>
        clients.operations.listOperations({ name: "projects/test" }),
      );
      await expect(listing).rejects.toMatchObject({ code: "UNIMPLEMENTED" });
    });
  },
);
