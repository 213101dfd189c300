import { type CommonConfig, type ConfigOf, commonSettings, integerSetting, parseEnv } from "@parfocal/runtime";

const MIB = 1024 * 1024;

/** The settings of the aggregation stage. */
export const aggregateSettings = {
  ...commonSettings(50_052),
  cacheMb: integerSetting({
    env: "PARFOCAL_BAG_CACHE_MB",
    fallback: 1024,
    min: 0,
    max: 1_048_576,
    unit: "MiB",
    reason: "Bags kept in the engine between runs; a training whose bags fit reads each of them once.",
  }),
  engineMemoryMb: integerSetting({
    env: "PARFOCAL_ENGINE_MEMORY_MB",
    fallback: 0,
    min: 0,
    max: 16_777_216,
    unit: "MiB",
    reason: "Memory of the engine process beyond which a request is refused as too large; 0: what the machine gives.",
  }),
  cachedModels: integerSetting({
    env: "PARFOCAL_CACHED_MODELS",
    fallback: 16,
    min: 1,
    max: 1024,
    unit: "models",
    reason: "Models kept ready, so that a prediction does not wait for weights.",
  }),
};

/** The values of {@link aggregateSettings}. */
export type AggregateConfig = CommonConfig & ConfigOf<typeof aggregateSettings>;

/** Reads the stage's settings. @throws {DomainError} INVALID_ARGUMENT naming the variable and its bound. */
export function aggregateConfigFromEnv(env: NodeJS.ProcessEnv): AggregateConfig {
  return parseEnv(aggregateSettings, env);
}

/** MiB of a setting as bytes. */
export function bytesFromMb(mb: number): number {
  return mb * MIB;
}
