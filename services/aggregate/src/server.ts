import { createEngine } from "@parfocal/engine";
import { aggregateV1 } from "@parfocal/protocol";
import { defineService, type Logger, type RunningServer, startServer } from "@parfocal/runtime";
import { openStore, storeOptionsFromEnv } from "@parfocal/store";
import { createModelCache } from "@parfocal/training";
import { type AggregateConfig, bytesFromMb } from "./config.ts";
import type { AggregateDeps } from "./deps.ts";
import { createAttention } from "./handlers/attention.ts";
import { createEvaluate } from "./handlers/evaluate.ts";
import { createImportModel } from "./handlers/import-model.ts";
import { createPredict } from "./handlers/predict.ts";
import { createTrain } from "./handlers/train.ts";

export { type AggregateConfig, aggregateConfigFromEnv, aggregateSettings } from "./config.ts";
export { trainSpecFromWire } from "./spec-from-wire.ts";

/** An aggregation stage that serves. */
export interface AggregateStage {
  readonly server: RunningServer;
  /** Stops serving and frees everything, the engine process included. */
  close(): Promise<void>;
}

/**
 * Starts the stage: opens the store, starts the engine on its device, serves.
 *
 * @throws {DomainError} `DEVICE_MISSING` when the device asked for cannot run here; see {@link startServer}.
 */
export async function startAggregate(
  config: AggregateConfig,
  logger: Logger,
  env: NodeJS.ProcessEnv = process.env,
): Promise<AggregateStage> {
  const options = storeOptionsFromEnv(env);
  const store = openStore(config.storeUri, options);
  const engine = createEngine({
    device: config.device,
    cacheBytes: bytesFromMb(config.cacheMb),
    store: { uri: store.rootUri, options },
    ...(config.threads === 0 ? {} : { intraOpThreads: config.threads }),
    ...(config.engineMemoryMb === 0 ? {} : { memoryLimitBytes: bytesFromMb(config.engineMemoryMb) }),
  });
  const models = createModelCache(store, config.cachedModels);
  const deps: AggregateDeps = { store, engine, models, codeVersion: env.PARFOCAL_CODE_VERSION ?? "unknown" };
  try {
    await engine.ready();
    const server = await startServer({ services: [defineAggregate(deps)], config, logger });
    return {
      server,
      async close() {
        await server.stop();
        await engine.close();
        store.close();
      },
    };
  } catch (error) {
    await engine.close();
    store.close();
    throw error;
  }
}

function defineAggregate(deps: AggregateDeps) {
  return defineService(aggregateV1.AggregateServiceDefinition, {
    predict: createPredict(deps),
    attention: createAttention(deps),
    train: createTrain(deps),
    evaluate: createEvaluate(deps),
    importModel: createImportModel(deps),
  });
}
