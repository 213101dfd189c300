import { createEngine } from "@parfocal/engine";
import { reembedV1 } from "@parfocal/protocol";
import { defineService, type Logger, type RunningServer, startServer } from "@parfocal/runtime";
import { openStore, storeOptionsFromEnv } from "@parfocal/store";
import { createKeyedLock, createModelCache } from "@parfocal/training";
import { bytesFromMb, type ReembedConfig } from "./config.ts";
import type { ReembedStageDeps } from "./deps.ts";
import { createReembed } from "./handlers/reembed.ts";

export { type ReembedConfig, reembedConfigFromEnv, reembedSettings } from "./config.ts";

/** A reembed stage that serves. */
export interface ReembedStage {
  readonly server: RunningServer;
  /** Stops serving and frees everything, the engine process included. */
  close(): Promise<void>;
}

/**
 * Starts the stage: opens the store, starts the engine on its device, serves.
 *
 * @throws {DomainError} `DEVICE_MISSING` when the device asked for cannot run here; see {@link startServer}.
 */
export async function startReembed(
  config: ReembedConfig,
  logger: Logger,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ReembedStage> {
  const options = storeOptionsFromEnv(env);
  const store = openStore(config.storeUri, options);
  const engine = createEngine({
    device: config.device,
    // Bags are read once, by this process, as they pass: the engine has nothing to keep.
    cacheBytes: 0,
    ...(config.threads === 0 ? {} : { intraOpThreads: config.threads }),
    ...(config.engineMemoryMb === 0 ? {} : { memoryLimitBytes: bytesFromMb(config.engineMemoryMb) }),
  });
  const models = createModelCache(store, config.cachedModels);
  const deps: ReembedStageDeps = { store, engine, models, lock: createKeyedLock() };
  try {
    await engine.ready();
    const services = [defineService(reembedV1.ReembedServiceDefinition, { reembed: createReembed(deps) })];
    const server = await startServer({ services, config, logger });
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
