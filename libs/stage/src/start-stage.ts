import { createEagerEngine, createEngine, type Engine, type StepEngine, warmUp } from "@parfocal/engine";
import {
  assertStoreAnswers,
  createReadiness,
  createServerMetrics,
  type LimitsByMethod,
  type Logger,
  observeEngine,
  observeStore,
  type ReadinessCheck,
  type RunningServer,
  type ServerMetrics,
  type ServerService,
  startServer,
} from "@parfocal/runtime";
import { type ObjectStore, openStore, storeOptionsFromEnv } from "@parfocal/store";
import { bytesFromMb, type StageConfig, type TrainerKind } from "./settings.ts";

/** What every stage runs on. */
export interface StageDeps {
  readonly store: ObjectStore;
  readonly engine: Engine;
  /** What computes the steps of trainings: the engine, unless the stage was told otherwise. */
  readonly trainer: StepEngine;
  /** What computes: commit or image digest, kept in what is published. */
  readonly codeVersion: string;
  /** Where the stage counts what only it knows. */
  readonly metrics: ServerMetrics;
}

/** A stage to start. */
export interface StageOptions {
  readonly config: StageConfig;
  readonly logger: Logger;
  /** Name of the stage in audit records. */
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  /** Bytes of stored tensors that the engine keeps between runs; absent: it is given its tensors and reads no store. */
  readonly cacheBytes?: number;
  /** What computes the steps of trainings. Default: the engine. */
  readonly trainer?: TrainerKind;
  /** Bounds of methods that differ from the configured ones. */
  readonly limits?: LimitsByMethod;
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
 * @throws {DomainError} `DEVICE_MISSING` when the device asked for cannot run here; `PRECONDITION_FAILED` when the trainer asked for
 * is not installed; see {@link startServer}.
 */
export async function startStage(stage: StageOptions): Promise<Stage> {
  const { config, logger, name, env, cacheBytes, services, limits = {} } = stage;
  const options = storeOptionsFromEnv(env);
  const metrics = createServerMetrics();
  const opened = observeStore(openStore(config.storeUri, options), metrics.registry);
  const prefixes = config.allowedPrefixes;
  const store = prefixes === "" ? opened : { ...opened, allowedPrefixes: prefixes.split(",") };
  const running = createEngine({
    device: config.device,
    allowSpinning: config.spin,
    cacheBytes: cacheBytes ?? 0,
    ...(cacheBytes === undefined ? {} : { store: { uri: store.rootUri, options } }),
    ...(config.threads === 0 ? {} : { intraOpThreads: config.threads }),
    ...(config.engineMemoryMb === 0 ? {} : { memoryLimitBytes: bytesFromMb(config.engineMemoryMb) }),
  });
  const engine = observeEngine(running, metrics.registry);
  const free = async () => {
    await engine.close();
    store.close();
  };
  try {
    await engine.ready();
    // Before the port opens: whoever reaches the stage finds an engine that has run a graph.
    await warmUp(running);
    const trainer = await openTrainer(stage, store, engine);
    const deps = { store, engine, trainer, codeVersion: env.PARFOCAL_CODE_VERSION ?? "unknown", metrics };
    const readiness = await createReadiness({ checks: checksOf(deps), logger, intervalMs: config.readinessMs });
    const server = await startServer({
      ...{ name, services: services(deps), config, logger, metrics, readiness, limits },
      hasLines: true,
    });
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

/** @throws {DomainError} `PRECONDITION_FAILED` when what the eager trainer computes on cannot be had. */
async function openTrainer({ trainer, cacheBytes = 0, logger }: StageOptions, store: ObjectStore, engine: Engine) {
  if (trainer === undefined || trainer === "captured") return engine;
  const opened = await createEagerEngine({ backend: trainer, store, cacheBytes });
  if (trainer === "tfjs-node-gpu" && !opened.isOnGpu) {
    logger.warn("trains on the processor: TensorFlow found no GPU, or not all of CUDA 12 and cuDNN 9");
  }
  return opened;
}

/** Any key will do: a store that says that nothing is there has answered. */
const PROBE_KEY = "cache/.probe";

/** The engine's process is there, and the store answers. */
function checksOf({ engine, store }: Pick<StageDeps, "engine" | "store">): ReadinessCheck[] {
  return [
    { name: "engine", check: (signal) => engine.ready({ signal }) },
    { name: "store", check: (signal) => assertStoreAnswers(store, PROBE_KEY, signal) },
  ];
}
