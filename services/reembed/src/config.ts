import { type CommonConfig, type ConfigOf, commonSettings, integerSetting, parseEnv } from "@parfocal/runtime";

const MIB = 1024 * 1024;

/** The settings of the reembed stage. */
export const reembedSettings = {
  ...commonSettings(50_051),
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
    reason: "Models kept ready, so that a re-embedding does not wait for weights.",
  }),
};

/** The values of {@link reembedSettings}. */
export type ReembedConfig = CommonConfig & ConfigOf<typeof reembedSettings>;

/** Reads the stage's settings. @throws {DomainError} INVALID_ARGUMENT naming the variable and its bound. */
export function reembedConfigFromEnv(env: NodeJS.ProcessEnv): ReembedConfig {
  return parseEnv(reembedSettings, env);
}

/** MiB of a setting as bytes. */
export function bytesFromMb(mb: number): number {
  return mb * MIB;
}
