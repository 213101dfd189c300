import { type ConfigOf, parseEnv } from "@parfocal/runtime";
import { type StageConfig, stageSettings, trainerSetting } from "@parfocal/stage";

/** The settings of the pretrain stage. */
export const pretrainSettings = { ...stageSettings(50_053), trainer: trainerSetting };

/** The values of {@link pretrainSettings}. */
export type PretrainConfig = StageConfig & ConfigOf<typeof pretrainSettings>;

/** Reads the stage's settings. @throws {DomainError} INVALID_ARGUMENT naming the variable and its bound. */
export function pretrainConfigFromEnv(env: NodeJS.ProcessEnv): PretrainConfig {
  return parseEnv(pretrainSettings, env);
}
