/**
 * @file Boots the services a benchmark talks to, in this process, on a folder of its own: real gRPC on loopback.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gatewayV1, googleLongrunning } from "@parfocal/protocol";
import { createChannelTo, createSilentLogger, createStageClient } from "@parfocal/runtime";
import { aggregateConfigFromEnv, startAggregate } from "@parfocal/service-aggregate";
import { gatewayConfigFromEnv, startGateway } from "@parfocal/service-gateway";

/** Clients of an embedded gateway. `close` ends everything and removes the folder. */
export async function startEmbedded(settings: Readonly<Record<string, string>> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-bench-"));
  const env = { PORT: "0", PARFOCAL_STORE: pathToFileURL(join(folder, "store")).href, ...settings };
  const logger = createSilentLogger();
  const aggregate = await startAggregate(aggregateConfigFromEnv(env), logger, env);
  const addressed = { ...env, PARFOCAL_AGGREGATE_ADDRESS: aggregate.server.address };
  const gateway = await startGateway(gatewayConfigFromEnv(addressed), logger, addressed);
  const channel = createChannelTo(gateway.server.address);
  return {
    folder,
    storeUri: env.PARFOCAL_STORE,
    gatewayAddress: gateway.server.address,
    aggregateAddress: aggregate.server.address,
    bags: createStageClient(gatewayV1.BagServiceDefinition, channel).calls,
    models: createStageClient(gatewayV1.ModelServiceDefinition, channel).calls,
    training: createStageClient(gatewayV1.TrainingServiceDefinition, channel).calls,
    prediction: createStageClient(gatewayV1.PredictionServiceDefinition, channel).calls,
    operations: createStageClient(googleLongrunning.OperationsDefinition, channel).calls,
    watching: createStageClient(gatewayV1.OperationServiceDefinition, channel).calls,
    async close() {
      channel.close();
      await gateway.close();
      await aggregate.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What {@link startEmbedded} gives. */
export type Embedded = Awaited<ReturnType<typeof startEmbedded>>;
