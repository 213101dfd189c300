import { reembedV1 } from "@parfocal/protocol";
import { createCacheMetrics, createThinningReport, defineService, type Logger } from "@parfocal/runtime";
import { bytesFromMb, type Stage, startStage } from "@parfocal/stage";
import { createKeyedLock, createModelCache } from "@parfocal/training";
import type { ReembedConfig } from "./config.ts";
import { createReembed } from "./handlers/reembed.ts";

export { type ReembedConfig, reembedConfigFromEnv, reembedSettings } from "./config.ts";

/** Starts the stage. @throws {DomainError} as {@link startStage}. */
export function startReembed(
  config: ReembedConfig,
  logger: Logger,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Stage> {
  return startStage({
    ...{ config, logger, env, name: "reembed" },
    // Bags are read once: the engine has nothing to keep.
    cacheBytes: 0,
    services: ({ store, engine, metrics }) => {
      const count = createCacheMetrics(metrics.registry);
      const models = createModelCache(store, config.cachedModels, count("model"));
      const onLookup = count("reembedding");
      const wholeBytes = bytesFromMb(config.wholeBagMb);
      const onThinned = createThinningReport(metrics.registry, logger);
      const deps = { store, engine, models, lock: createKeyedLock(), wholeBytes, onLookup, onThinned };
      const reembed = createReembed(deps);
      return [defineService(reembedV1.ReembedServiceDefinition, { reembed })];
    },
  });
}
