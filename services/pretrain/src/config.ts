import { type CommonConfig, commonSettings, parseEnv } from "@parfocal/runtime";

/** The settings of the pretrain stage. */
export const pretrainSettings = commonSettings(50_053);

/** The values of {@link pretrainSettings}. */
export type PretrainConfig = CommonConfig;

/** Reads the stage's settings. @throws {DomainError} INVALID_ARGUMENT naming the variable and its bound. */
export function pretrainConfigFromEnv(env: NodeJS.ProcessEnv): PretrainConfig {
  return parseEnv(pretrainSettings, env);
}
