import { type ConfigOf, parseEnv } from "@parfocal/runtime";
import { cachedModelsSetting, type StageConfig, stageSettings } from "@parfocal/stage";

/** The settings of the reembed stage. */
export const reembedSettings = { ...stageSettings(50_051), cachedModels: cachedModelsSetting("a re-embedding") };

/** The values of {@link reembedSettings}. */
export type ReembedConfig = StageConfig & ConfigOf<typeof reembedSettings>;

/** Reads the stage's settings. @throws {DomainError} INVALID_ARGUMENT naming the variable and its bound. */
export function reembedConfigFromEnv(env: NodeJS.ProcessEnv): ReembedConfig {
  return parseEnv(reembedSettings, env);
}
