import { encoderNameFrom, findEncoder } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { BagSourceFacts } from "../job.ts";
import { invalidSetting, type SettingReader } from "./layout.ts";

/** Bounds of the manifest, and of a stride, which counts the same pixels as the tile. */
const BOUNDS = { tile_px: [1, 65_536], mpp: [1e-3, 1e3], stride: [1, 65_536] } as const;

/**
 * What bags must be of, which no checkpoint tells: the settings `encoder` (in any spelling that imports of bags know), `tile_px`, `mpp` and
 * `stride`, the distance between neighbouring tiles in pixels as `tile_px` counts them. Absent ones are not checked when bags are scored.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming a setting, its value and its bounds; `GEOMETRY_MISMATCH` for an encoder that cannot
 * emit `dIn` features.
 */
export function readExpectedBags(settings: SettingReader, dIn: number): BagSourceFacts {
  const [encoder, tilePx] = [settings.untold("encoder"), readNumber(settings, "tile_px")];
  const [mpp, stridePx] = [readNumber(settings, "mpp"), readNumber(settings, "stride")];
  return {
    ...(encoder !== undefined && { encoder: encoderOf(encoder, dIn) }),
    ...(tilePx !== undefined && { tilePx }),
    ...(mpp !== undefined && { mpp }),
    ...(stridePx !== undefined && { stridePx }),
  };
}

function readNumber(settings: SettingReader, name: keyof typeof BOUNDS): number | undefined {
  const text = settings.untold(name);
  if (text === undefined) return undefined;
  const [min, max] = BOUNDS[name];
  const value = /^\d{1,6}(?:\.\d{1,9})?$/u.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw invalidSetting(name, text, `a number from ${min} to ${max}`);
}

/** The encoder as bags name it. */
function encoderOf(text: string, dIn: number): string {
  if (!/^[^\p{Cc}]{1,200}$/u.test(text)) throw invalidSetting("encoder", text, "a name of 1 to 200 characters");
  const facts = findEncoder(text);
  if (facts === undefined || facts.dimensions.includes(dIn)) return encoderNameFrom(text);
  const emitted = facts.dimensions.join(" or ");
  const message = `encoder ${facts.name} emits ${emitted} features, the checkpoint takes ${dIn}`;
  throw new DomainError("GEOMETRY_MISMATCH", message, { details: { field: "settings.encoder" } });
}
