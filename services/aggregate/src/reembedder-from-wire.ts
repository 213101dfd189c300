import { commonV1 } from "@parfocal/protocol";
import { ACTIVATIONS, choice, defined, type Fields, missing, regionMixerFromWire } from "@parfocal/stage";

/**
 * A re-embedder as the JSON that its definition reads; numbers and flags have the same names there.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a missing kind or an enum value that means nothing.
 */
export function reembedderFromWire({ kind }: commonV1.Reembedder): Fields {
  switch (kind?.$case) {
    case undefined:
      throw missing("spec.architecture.reembedder.kind");
    case "r2t":
      return defined(r2tFromWire(kind.value));
    case "roformer":
      return defined(roformerFromWire(kind.value));
    case "regionMixer":
      return regionMixerFromWire(kind.value);
    case "levels":
      return levelsFromWire(kind.value);
  }
}

/** No level named means all of them. */
function levelsFromWire({ levels, ...same }: commonV1.LevelSelection): Fields {
  return defined({ kind: "levels", ...same, levels: levels.length === 0 ? undefined : levels });
}

type Words = Readonly<Record<string, string | undefined>>;

function word(field: string, words: Words, name: string): string | undefined {
  return choice<string | undefined>(field, words, name);
}

function r2tFromWire(message: commonV1.R2tReembedder): Fields {
  const { compat, grid, stemActivation, stemIsLinear, ffnActivation, position, positionPlace, ...same } = message;
  const compats = { COMPAT_UNSPECIFIED: undefined, COMPAT_REFERENCE: "reference", COMPAT_CORRECTED: "corrected" };
  const grids = { GRID_UNSPECIFIED: undefined, GRID_STORAGE: "storage", GRID_COORDINATES: "coordinates" };
  const stem = word("r2t.stem_activation", ACTIVATIONS, commonV1.activationToJSON(stemActivation));
  return {
    kind: "r2t",
    ...same,
    compat: word("r2t.compat", compats, commonV1.r2tReembedder_CompatToJSON(compat)),
    grid: word("r2t.grid", grids, commonV1.r2tReembedder_GridToJSON(grid)),
    stemActivation: stemIsLinear ? "none" : stem,
    ffnActivation: word("r2t.ffn_activation", ACTIVATIONS, commonV1.activationToJSON(ffnActivation)),
    ...positionFromWire({ position, positionPlace }),
  };
}

function positionFromWire({
  position,
  positionPlace,
}: Pick<commonV1.R2tReembedder, "position" | "positionPlace">): Fields {
  const positions = {
    POSITION_UNSPECIFIED: undefined,
    POSITION_NONE: "none",
    POSITION_PEG: "peg",
    POSITION_PPEG: "ppeg",
  };
  const places = {
    POSITION_PLACE_UNSPECIFIED: undefined,
    POSITION_PLACE_FIRST: "first",
    POSITION_PLACE_SECOND: "second",
  };
  return {
    position: word("r2t.position", positions, commonV1.r2tReembedder_PositionToJSON(position)),
    positionPlace: word("r2t.position_place", places, commonV1.r2tReembedder_PositionPlaceToJSON(positionPlace)),
  };
}

function roformerFromWire({ rotary, absolute, ...same }: commonV1.RoformerReembedder): Fields {
  const families = {
    ROTARY_UNSPECIFIED: undefined,
    ROTARY_PIXEL: "pixel",
    ROTARY_LANG: "lang",
    ROTARY_NONE: "none",
  };
  const codes = { ABSOLUTE_UNSPECIFIED: undefined, ABSOLUTE_NONE: "none", ABSOLUTE_SINE: "sine" };
  return {
    kind: "roformer",
    ...same,
    rotary: word("roformer.rotary", families, commonV1.roformerReembedder_RotaryToJSON(rotary)),
    absolute: word("roformer.absolute", codes, commonV1.roformerReembedder_AbsoluteToJSON(absolute)),
  };
}
