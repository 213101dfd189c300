import { type CommonConfig, commonSettings, parseEnv } from "@parfocal/runtime";

/** The settings of the reembed stage. */
export const reembedSettings = commonSettings(50_051);

/** The values of {@link reembedSettings}. */
export type ReembedConfig = CommonConfig;

/** Reads the stage's settings. @throws {DomainError} INVALID_ARGUMENT naming the variable and its bound. */
export function reembedConfigFromEnv(env: NodeJS.ProcessEnv): ReembedConfig {
  return parseEnv(reembedSettings, env);
}
