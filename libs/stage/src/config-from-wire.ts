/**
 * @file Parts of configurations that several stages take from requests.
 */
import { commonV1 } from "@parfocal/protocol";
import { choice, defined, type Fields } from "./wire-fields.ts";

/**
 * A region mixer as the JSON that its definition reads; numbers and flags have the same names there.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for an enum value that means nothing.
 */
export function regionMixerFromWire({ preset, output, levels, ...same }: commonV1.RegionMixer): Fields {
  const presets = { PRESET_UNSPECIFIED: undefined, PRESET_S: "s", PRESET_M: "m", PRESET_B: "b" };
  const outputs = {
    OUTPUT_UNSPECIFIED: undefined,
    OUTPUT_CONTEXTUALISED: "contextualised",
    OUTPUT_COMPRESSED: "compressed",
  };
  return defined({
    kind: "region-mixer",
    ...same,
    preset: choice<string | undefined>("region_mixer.preset", presets, commonV1.regionMixer_PresetToJSON(preset)),
    output: choice<string | undefined>("region_mixer.output", outputs, commonV1.regionMixer_OutputToJSON(output)),
    levels: levels.length === 0 ? undefined : levels,
  });
}

/**
 * An optimiser as the JSON that the training's reader takes; numbers have the same names there.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for an enum value that means nothing.
 */
export function optimiserFromWire({ kind, lookahead, ...numbers }: commonV1.Optimiser): Fields {
  const kinds = {
    ...{ KIND_UNSPECIFIED: undefined, KIND_ADAM: "adam", KIND_ADAMW: "adamw" },
    ...{ KIND_SGD: "sgd", KIND_RADAM: "radam" },
  };
  return defined({
    kind: choice<string | undefined>("optimiser.kind", kinds, commonV1.optimiser_KindToJSON(kind)),
    ...numbers,
    lookahead: lookahead && defined({ ...lookahead }),
  });
}
