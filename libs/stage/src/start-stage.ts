import { createEngine, type Engine } from "@parfocal/engine";
import { type Logger, type RunningServer, type ServerService, startServer } from "@parfocal/runtime";
import { type ObjectStore, openStore, storeOptionsFromEnv } from "@parfocal/store";
import { bytesFromMb, type StageConfig } from "./settings.ts";

/** What every stage runs on. */
export interface StageDeps {
  readonly store: ObjectStore;
  readonly engine: Engine;
  /** What computes: commit or image digest, kept in what is published. */
  readonly codeVersion: string;
}

/** A stage to start. */
export interface StageOptions {
  readonly config: StageConfig;
  readonly logger: Logger;
  readonly env: NodeJS.ProcessEnv;
  /** Bytes of stored tensors that the engine keeps between runs; absent: it is given its tensors and reads no store. */
  readonly cacheBytes?: number;
  /** The services to serve. */
  services(deps: StageDeps): readonly ServerService[];
}

/** A stage that serves. */
export interface Stage {
  readonly server: RunningServer;
  /** Stops serving and frees everything, the engine process included. */
  close(): Promise<void>;
}

/**
 * Starts a stage: opens the store, starts the engine on its device, serves.
 *
 * @throws {DomainError} `DEVICE_MISSING` when the device asked for cannot run here; see {@link startServer}.
 */
export async function startStage({ config, logger, env, cacheBytes, services }: StageOptions): Promise<Stage> {
  const options = storeOptionsFromEnv(env);
  const opened = openStore(config.storeUri, options);
  const prefixes = config.allowedPrefixes;
  const store = prefixes === "" ? opened : { ...opened, allowedPrefixes: prefixes.split(",") };
  const engine = createEngine({
    device: config.device,
    allowSpinning: config.spin,
    cacheBytes: cacheBytes ?? 0,
    ...(cacheBytes === undefined ? {} : { store: { uri: store.rootUri, options } }),
    ...(config.threads === 0 ? {} : { intraOpThreads: config.threads }),
    ...(config.engineMemoryMb === 0 ? {} : { memoryLimitBytes: bytesFromMb(config.engineMemoryMb) }),
  });
  const free = async () => {
    await engine.close();
    store.close();
  };
  try {
    await engine.ready();
    const deps = { store, engine, codeVersion: env.PARFOCAL_CODE_VERSION ?? "unknown" };
    const server = await startServer({ services: services(deps), config, logger });
    return {
      server,
      async close() {
        await server.stop();
        await free();
      },
    };
  } catch (error) {
    await free();
    throw error;
  }
}
