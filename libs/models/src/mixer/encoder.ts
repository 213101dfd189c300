import { expandTo, tf } from "@parfocal/tensor";
import { type DropoutSite, type ForwardContext, REGIONS, type StageDeclaration } from "../model.ts";
import { normParameters, type ParameterSpec } from "../parameter.ts";
import { pathSites } from "./drop-path.ts";
import {
  applyMixerBlock,
  type MixerBlockOptions,
  type MixerBlockSizes,
  mixerBlockParameters,
  mixerLinear,
  mixerNorm,
  type TokenBatch,
} from "./mixer-block.ts";
import type { MixerConfig } from "./mixer-config.ts";
import { countTokens } from "./token-layout.ts";

// Legend: B sequences, n tokens of tiles in each, T tokens of a whole region, C class tokens, W width, D features of a tile.

/** Standard deviation of tokens and position tables at first; the paper is silent, MAE has it. */
const TOKEN_STD = 0.02;

/** A table of learned vectors `[rows, W]` that do not decay. */
export function tokenTable(name: string, nRows: number, width: number): ParameterSpec {
  return { name, shape: [nRows, width], init: { kind: "normal", std: TOKEN_STD }, decay: false, isTrainable: true };
}

/** h of a width. */
export function innerWidthOf(width: number, innerRatio: number): number {
  // 8/3 is not exact: the slack lets 384 · 8/3 be 1024.
  return Math.max(1, Math.floor(width * innerRatio + 1e-9));
}

/** The encoder's blocks in their order, named `blocks.<i>`. */
export function encoderBlocks({ depth }: MixerConfig): string[] {
  return Array.from({ length: depth }, (_, i) => `blocks.${i}`);
}

function encoderSizes({ width, heads, innerRatio, layerScaleInit }: MixerConfig): MixerBlockSizes {
  return { width, heads, innerWidth: innerWidthOf(width, innerRatio), layerScaleInit };
}

/**
 * Parameters `levelNorm.<m>` (where asked for), `input`, `positions` `[T, W]`, `tokens` `[C, W]`, `blocks.<i>` and `norm`, and the
 * sites of the blocks where activations and branches drop.
 */
export function declareEncoder(config: MixerConfig, dIn: number): StageDeclaration {
  const { width, levels, levelNorm, classTokens } = config;
  const blocks = encoderBlocks(config);
  return {
    parameters: [
      ...(levelNorm ? levels.flatMap((level) => normParameters(`levelNorm.${level}`, dIn)) : []),
      ...mixerLinear("input", dIn, width),
      tokenTable("positions", countTokens(config), width),
      tokenTable("tokens", classTokens, width),
      ...blocks.flatMap((name) => mixerBlockParameters(encoderSizes(config), name)),
      ...normParameters("norm", width),
    ],
    dropoutSites: [
      ...blocks.flatMap((name) => blockSites(config, name)),
      ...pathSites(blocks, config.dropPath).map((site): DropoutSite => ({ ...site, shape: [REGIONS, 1, 1] })),
    ],
  };
}

function blockSites(config: MixerConfig, name: string): DropoutSite[] {
  const { classTokens, width, dropout: probability } = config;
  const isLast = name === `blocks.${config.depth - 1}`;
  const nRows = classTokens + (isLast && config.output === "compressed" ? 0 : countTokens(config));
  return ["attention", "mlp"].map(
    (branch): DropoutSite => ({ name: `${name}.${branch}`, shape: [REGIONS, nRows, width], probability }),
  );
}

/** What comes out of the encoder, and what drops on the way. */
interface EncodeOptions extends Pick<MixerBlockOptions, "hasDropout" | "hasDropPath"> {
  readonly wanted?: "all" | "class";
}

/**
 * Encodes tokens that were projected and have their positions added, `[B, n, W]`. Class tokens go in front: gives `[B, C + n, W]`,
 * or with `wanted: "class"` `[B, C, W]`.
 *
 * Source: the paper's mixing encoder; SwiGLU blocks before which the norm stands, full attention over all magnifications.
 */
export function encodeTokens(
  config: MixerConfig,
  { tokens, isPresent }: TokenBatch,
  context: ForwardContext,
  { wanted = "all", ...drops }: EncodeOptions = {},
): tf.Tensor3D {
  const { classTokens: count, depth } = config;
  const [nSequences, , width] = tokens.shape;
  const shape = [nSequences, count, width];
  const whole = tf.concat3d([expandTo(context.parameter("tokens"), shape) as tf.Tensor3D, tokens], 1); // [B, C + n, W]
  const mask = isPresent && tf.concat2d([tf.fill([nSequences, count], 1, "int32"), isPresent], 1);
  const encoded = encoderBlocks(config).reduce((x, name, i) => {
    const queries = wanted === "class" && i === depth - 1 ? { queries: { first: 0, count } } : {};
    return applyMixerBlock(encoderSizes(config), name, { tokens: x, ...(mask && { isPresent: mask }) }, context, {
      ...queries,
      ...drops,
    });
  }, whole);
  return mixerNorm(context, "norm", encoded);
}
