import { type ConfigOf, integerSetting, parseEnv } from "@parfocal/runtime";
import { cachedModelsSetting, type StageConfig, stageSettings, trainerSetting } from "@parfocal/stage";

/** The settings of the aggregation stage. */
export const aggregateSettings = {
  ...stageSettings(50_052),
  cacheMb: integerSetting({
    env: "PARFOCAL_BAG_CACHE_MB",
    fallback: 1024,
    min: 0,
    max: 1_048_576,
    unit: "MiB",
    reason: "Bags kept in the engine between runs; a training whose bags fit reads each of them once.",
  }),
  cachedModels: cachedModelsSetting("a prediction"),
  trainer: trainerSetting,
  checkpointMs: integerSetting({
    env: "PARFOCAL_CHECKPOINT_MS",
    fallback: 1000,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    reason:
      "A training writes a checkpoint, and tells of its epochs, when the last one is so long ago; 0: after each epoch.",
  }),
};

/** The values of {@link aggregateSettings}. */
export type AggregateConfig = StageConfig & ConfigOf<typeof aggregateSettings>;

/** Reads the stage's settings. @throws {DomainError} INVALID_ARGUMENT naming the variable and its bound. */
export function aggregateConfigFromEnv(env: NodeJS.ProcessEnv): AggregateConfig {
  return parseEnv(aggregateSettings, env);
}
