import {
  type CommonConfig,
  type ConfigOf,
  choiceSetting,
  commonSettings,
  flagSetting,
  integerSetting,
  textSetting,
} from "@parfocal/runtime";

const MIB = 1024 * 1024;

const engineMemoryMb = integerSetting({
  env: "PARFOCAL_ENGINE_MEMORY_MB",
  fallback: 0,
  min: 0,
  max: 16_777_216,
  unit: "MiB",
  reason: "Memory of the engine process beyond which a request is refused as too large; 0: what the machine gives.",
});

const allowedPrefixes = textSetting({
  env: "PARFOCAL_ALLOWED_PREFIXES",
  fallback: "",
  pattern: /^[^,\s]+(?:,[^,\s]+)*$/,
  expected: "a comma-separated list of beginnings of keys",
  reason:
    "Where in the store callers may name objects and folders, e.g. `projects/,operations/,cache/`; unset: anywhere in it.",
});

const spin = flagSetting({
  env: "PARFOCAL_SPIN",
  fallback: false,
  reason:
    "Whether the engine's threads wait for each other awake: up to 10 % faster on cores of its own, several times slower on shared ones.",
});

/** The settings of every stage with an engine. `port`: where it listens unless told otherwise. */
export function stageSettings(port: number) {
  return { ...commonSettings(port), engineMemoryMb, allowedPrefixes, spin };
}

/** The values of {@link stageSettings}. */
export type StageConfig = CommonConfig &
  ConfigOf<{ engineMemoryMb: typeof engineMemoryMb; allowedPrefixes: typeof allowedPrefixes; spin: typeof spin }>;

/** How many models a stage keeps ready. `what`: what would wait for weights otherwise. */
export function cachedModelsSetting(what: string) {
  return integerSetting({
    env: "PARFOCAL_CACHED_MODELS",
    fallback: 16,
    min: 1,
    max: 1024,
    unit: "models",
    reason: `Models kept ready, so that ${what} does not wait for weights.`,
  });
}

const TRAINERS = ["captured", "tfjs-node-gpu", "tfjs-cpu"] as const;

/** What computes the steps of trainings. */
export type TrainerKind = (typeof TRAINERS)[number];

/** What computes the steps of a stage's trainings. */
export const trainerSetting = choiceSetting({
  env: "PARFOCAL_TRAINER",
  fallback: "captured",
  choices: TRAINERS,
  reason:
    "Whether training steps run as captured graphs in the engine, or eagerly in this process: on a GPU by tfjs-node-gpu, a package that deploy/tfjs/build.sh makes, or slowly by tfjs alone.",
});

/** MiB of a setting as bytes. */
export function bytesFromMb(mb: number): number {
  return mb * MIB;
}
