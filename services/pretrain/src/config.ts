import { parseEnv } from "@parfocal/runtime";
import { type StageConfig, stageSettings } from "@parfocal/stage";

/** The settings of the pretrain stage. */
export const pretrainSettings = stageSettings(50_053);

/** The values of {@link pretrainSettings}. */
export type PretrainConfig = StageConfig;

/** Reads the stage's settings. @throws {DomainError} INVALID_ARGUMENT naming the variable and its bound. */
export function pretrainConfigFromEnv(env: NodeJS.ProcessEnv): PretrainConfig {
  return parseEnv(pretrainSettings, env);
}
