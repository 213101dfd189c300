import { type ConfigOf, integerSetting, parseEnv } from "@parfocal/runtime";
import { cachedModelsSetting, type StageConfig, stageSettings } from "@parfocal/stage";

const wholeBagMb = integerSetting({
  env: "PARFOCAL_WHOLE_BAG_MB",
  fallback: 128,
  min: 0,
  max: 65_536,
  unit: "MiB",
  reason:
    "Features as f32 up to which the engine reads a bag whole; larger ones pass the stem as they arrive, in less memory.",
});

/** The settings of the reembed stage. */
export const reembedSettings = {
  ...stageSettings(50_051),
  cachedModels: cachedModelsSetting("a re-embedding"),
  wholeBagMb,
};

/** The values of {@link reembedSettings}. */
export type ReembedConfig = StageConfig & ConfigOf<typeof reembedSettings>;

/** Reads the stage's settings. @throws {DomainError} INVALID_ARGUMENT naming the variable and its bound. */
export function reembedConfigFromEnv(env: NodeJS.ProcessEnv): ReembedConfig {
  return parseEnv(reembedSettings, env);
}
