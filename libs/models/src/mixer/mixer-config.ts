import { DomainError } from "@parfocal/errors";
import { type ConfigReader, createConfigReader } from "../config-reader.ts";
import type { ReembedderConfig, RegionRule } from "../model.ts";

/** Configuration of the region mixer; JSON with every default filled in. */
export interface MixerConfig extends ReembedderConfig, RegionRule {
  readonly kind: "region-mixer";
  /** `contextualised`: every tile in the light of its region, W features. `compressed`: one row per region, C·W features. */
  readonly output: "contextualised" | "compressed";
  readonly regionTiles: number;
  readonly levelCount: number;
  readonly levels: readonly number[];
  /** W. */
  readonly width: number;
  readonly depth: number;
  /** Divides the width. */
  readonly heads: number;
  /** Inner width of the feed-forward layers over W, rounded down. */
  readonly innerRatio: number;
  /** C. */
  readonly classTokens: number;
  /** Probability of dropping an activation behind attention and feed-forward, in fine-tuning alone. */
  readonly dropout: number;
  /** Features of each magnification pass a norm of its own first. */
  readonly levelNorm: boolean;
  /** What the scales of the blocks' branches are at first, in encoder and decoder; 0: there are none. */
  readonly layerScaleInit: number;
  /** Probability that training leaves a branch of the last block out of a region, falling linearly towards the first block. */
  readonly dropPath: number;
}

/** Sizes that go together. Heads have 64 channels. */
const PRESETS = {
  s: { width: 384, depth: 6, heads: 6, decoderWidth: 512 },
  m: { width: 512, depth: 8, heads: 8, decoderWidth: 768 },
  b: { width: 768, depth: 12, heads: 12, decoderWidth: 1024 },
} as const;

/** The decoder's width that goes with an encoder's: the narrowest preset decoder that is wider. */
export function usualDecoderWidth(width: number): number {
  const preset = Object.values(PRESETS).find((sizes) => width <= sizes.width);
  return preset?.decoderWidth ?? Math.ceil((4 * width) / 3 / 64) * 64;
}

/** Most magnifications of a region. */
const MAX_LEVELS = 5;

/** Most tokens of a region: attention is quadratic in them, and so are the positions' gradients. */
const MAX_TOKENS = 8192;

/**
 * Reads a mixer's configuration: `preset` (`s` unless told; not kept, its sizes are) and the fields of {@link MixerConfig}.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming field, value and bound.
 */
export function parseMixerConfig(json: unknown, where = "reembed"): MixerConfig {
  const reader = createConfigReader(json, where);
  const preset = PRESETS[reader.choice("preset", ["s", "m", "b"], "s")];
  const levelCount = reader.number("levelCount", { min: 1, max: MAX_LEVELS, isInteger: true, fallback: 3 });
  const config: MixerConfig = {
    kind: reader.choice("kind", ["region-mixer"]),
    output: reader.choice("output", ["contextualised", "compressed"], "contextualised"),
    regionTiles: reader.number("regionTiles", { min: 1, max: 16, isInteger: true, fallback: 3 }),
    levelCount,
    levels: readLevels(reader, levelCount, where),
    width: reader.number("width", { min: 1, max: 4096, isInteger: true, fallback: preset.width }),
    depth: reader.number("depth", { min: 1, max: 48, isInteger: true, fallback: preset.depth }),
    heads: reader.number("heads", { min: 1, max: 64, isInteger: true, fallback: preset.heads }),
    innerRatio: reader.number("innerRatio", { min: 0.5, max: 16, fallback: 8 / 3 }),
    classTokens: reader.number("classTokens", { min: 1, max: 16, isInteger: true, fallback: 4 }),
    dropout: reader.number("dropout", { min: 0, max: 0.95, fallback: 0 }),
    levelNorm: reader.boolean("levelNorm", false),
    layerScaleInit: reader.number("layerScaleInit", { min: 0, max: 1, fallback: 0 }),
    dropPath: reader.number("dropPath", { min: 0, max: 0.95, fallback: 0 }),
  };
  reader.assertNoOthers();
  assertHeadsDivide(config, where);
  assertTokensFit(config, where);
  return config;
}

/** @throws {DomainError} `INVALID_ARGUMENT` naming width and heads. */
export function assertHeadsDivide({ width, heads }: { readonly width: number; readonly heads: number }, where: string) {
  if (width % heads === 0) return;
  throw new DomainError("INVALID_ARGUMENT", `${where}.width is ${width}; ${heads} heads need a multiple of ${heads}`, {
    details: { field: `${where}.width` },
  });
}

function assertTokensFit({ levels, regionTiles }: RegionRule, where: string): void {
  const nTokens = levels.reduce((sum, level) => sum + (regionTiles * 2 ** level) ** 2, 0);
  if (nTokens <= MAX_TOKENS) return;
  const message = `${where}.regionTiles is ${regionTiles}; a region would have ${nTokens} tiles, at most ${MAX_TOKENS}`;
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: `${where}.regionTiles` } });
}

/** The field `levels`: distinct magnifications below `levelCount`, given in any order, kept ascending; all unless told. */
export function readLevels(reader: ConfigReader, levelCount: number, where: string): number[] {
  const bounds = { min: 0, max: levelCount - 1, maxItems: levelCount };
  const all = Array.from({ length: levelCount }, (_, level) => level);
  const given = reader.integers("levels", bounds, all);
  const levels = [...new Set(given)].sort((a, b) => a - b);
  if (levels.length === given.length && levels.length > 0) return levels;
  throw new DomainError("INVALID_ARGUMENT", `${where}.levels is [${given.join(", ")}]; it must name each level once`, {
    details: { field: `${where}.levels` },
  });
}
