import { commonV1 } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";
import { applyPretrainSettings } from "./spec-settings.ts";

/** Sizes of a mixer by the words of the command line. */
export const MIXER_PRESETS = ["s", "m", "b"] as const;

/** Objectives by the words of the command line: masked embedding modelling, alone or with a contrastive part. */
export const OBJECTIVES = ["mem", "cmem"] as const;

/** Options of `pretrain` that make a specification. Absent: the service's default. */
export interface PretrainOptions {
  readonly preset?: (typeof MIXER_PRESETS)[number];
  readonly objective?: (typeof OBJECTIVES)[number];
  /** Share of the tiles that is removed. */
  readonly ratio?: number;
  readonly regionTiles?: number;
  /** Magnifications that are looked at, 0 for the coarsest. */
  readonly levels?: readonly number[];
  readonly sourceTiles?: number;
  readonly regions?: number;
  readonly batchRegions?: number;
  readonly lr?: number;
  readonly validation?: number;
  readonly minPresence?: number;
  readonly augment?: boolean;
  /** Single values as `path=value`; they win over everything else. */
  readonly set?: readonly string[];
}

const PRESETS = {
  s: commonV1.RegionMixer_Preset.PRESET_S,
  m: commonV1.RegionMixer_Preset.PRESET_M,
  b: commonV1.RegionMixer_Preset.PRESET_B,
};

/**
 * The specification of a pretraining on region bags of `levelCount` magnifications, single values last.
 *
 * @throws {UsageError} for an option that means nothing.
 */
export function createPretrainSpec(options: PretrainOptions, levelCount: number | undefined): commonV1.PretrainSpec {
  const { objective = "mem", sourceTiles, set } = options;
  if (objective === "mem" && sourceTiles !== undefined) throw new UsageError("--source-tiles is for --objective cmem");
  const spec = commonV1.PretrainSpec.fromPartial({
    mixer: {
      preset: options.preset === undefined ? commonV1.RegionMixer_Preset.PRESET_UNSPECIFIED : PRESETS[options.preset],
      regionTiles: options.regionTiles,
      levelCount,
      levels: [...(options.levels ?? [])],
    },
    masked: { removalRatio: options.ratio },
    ...(objective === "cmem" ? { contrastive: { sourceTiles } } : {}),
    ...(options.lr === undefined ? {} : { optimiser: { learningRate: options.lr } }),
    batchRegions: options.batchRegions,
    totalRegions: options.regions === undefined ? undefined : BigInt(options.regions),
    validationFraction: options.validation,
    minPresence: options.minPresence,
    // Of a flag that is only ever turned off, commander makes true by default.
    augment: options.augment === false ? false : undefined,
  });
  return set === undefined ? spec : applyPretrainSettings(spec, set);
}
