import { DomainError } from "@parfocal/errors";
import { type ConfigObject, createConfigReader } from "../config-reader.ts";
import { MAX_WIDTH } from "../layers/trunk.ts";
import { WEIGHTINGS, type Weighting } from "./level-weights.ts";
import { assertHeadsDivide, type MixerConfig, parseMixerConfig, usualDecoderWidth } from "./mixer-config.ts";

/** The masked objective. */
export interface MaskedConfig extends ConfigObject {
  /** ρ, share of the tokens that is removed. */
  readonly removalRatio: number;
  readonly weighting: Weighting;
  readonly decoderWidth: number;
  readonly decoderDepth: number;
  readonly decoderHeads: number;
}

/** The contrastive objective. */
export interface ContrastiveConfig extends ConfigObject {
  /** s: coarse tiles along the side of the region that two crops are taken from. */
  readonly sourceTiles: number;
  readonly temperature: number;
  /** Beside the masked objective. */
  readonly weight: number;
  /** Inner width of the projector. */
  readonly projectorWidth: number;
  /** Outputs of the projector. */
  readonly projectionWidth: number;
  /** Views of the same slide do not count as negatives. */
  readonly dropSameSlideNegatives: boolean;
}

/** Everything that determines a pretraining's network; JSON, with every default filled in. */
export interface PretrainModelConfig {
  /** Features of a tile. */
  readonly dIn: number;
  readonly mixer: MixerConfig;
  readonly masked: MaskedConfig;
  /** Absent: the masked objective alone. */
  readonly contrastive?: ContrastiveConfig;
}

/**
 * Reads `dIn`, `mixer` (its kind may be left out), `masked` (absent: its defaults) and `contrastive` (absent: none). A decoder is
 * wider than its encoder unless told, with heads of 64 channels.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming field, value and bound.
 */
export function parsePretrainModel(json: unknown): PretrainModelConfig {
  const reader = createConfigReader(json, "pretrain");
  const dIn = reader.number("dIn", { min: 1, max: 2 * MAX_WIDTH, isInteger: true });
  const mixer = parseMixerConfig({ kind: "region-mixer", ...reader.object("mixer", {}) }, "pretrain.mixer");
  const masked = parseMasked(reader.object("masked", {}), mixer);
  const contrastive = reader.optionalObject("contrastive");
  reader.assertNoOthers();
  return { dIn, mixer, masked, ...(contrastive && { contrastive: parseContrastive(contrastive, mixer) }) };
}

function parseMasked(json: ConfigObject, mixer: MixerConfig): MaskedConfig {
  const where = "pretrain.masked";
  const reader = createConfigReader(json, where);
  const fallback = usualDecoderWidth(mixer.width);
  const decoderWidth = reader.number("decoderWidth", { min: 1, max: 4096, isInteger: true, fallback });
  const usualHeads = decoderWidth % 64 === 0 ? decoderWidth / 64 : 1;
  const config: MaskedConfig = {
    removalRatio: reader.number("removalRatio", { min: 0.01, max: 0.99, fallback: 0.5 }),
    weighting: reader.choice("weighting", WEIGHTINGS, "unbiased"),
    decoderWidth,
    decoderDepth: reader.number("decoderDepth", { min: 1, max: 16, isInteger: true, fallback: 2 }),
    decoderHeads: reader.number("decoderHeads", {
      min: 1,
      max: 64,
      isInteger: true,
      fallback: Math.min(64, usualHeads),
    }),
  };
  reader.assertNoOthers();
  assertHeadsDivide({ width: decoderWidth, heads: config.decoderHeads }, `${where}.decoder`);
  return config;
}

function parseContrastive(json: ConfigObject, { regionTiles }: MixerConfig): ContrastiveConfig {
  const where = "pretrain.contrastive";
  const reader = createConfigReader(json, where);
  const width = (fallback: number) => ({ min: 1, max: MAX_WIDTH, isInteger: true, fallback });
  const config: ContrastiveConfig = {
    sourceTiles: reader.number("sourceTiles", { min: 1, max: 64, isInteger: true, fallback: Math.max(7, regionTiles) }),
    temperature: reader.number("temperature", { min: 1e-3, max: 100, fallback: 0.1 }),
    weight: reader.number("weight", { min: 0, max: 1e3, fallback: 1 }),
    projectorWidth: reader.number("projectorWidth", width(2048)),
    projectionWidth: reader.number("projectionWidth", width(256)),
    dropSameSlideNegatives: reader.boolean("dropSameSlideNegatives", false),
  };
  reader.assertNoOthers();
  if (config.sourceTiles >= regionTiles) return config;
  const message = `${where}.sourceTiles is ${config.sourceTiles}; crops of ${regionTiles} tiles need at least as many`;
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: `${where}.sourceTiles` } });
}
