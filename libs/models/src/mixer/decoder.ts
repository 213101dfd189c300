import { expandTo, linear, lookupRows, tf } from "@parfocal/tensor";
import type { ForwardContext } from "../model.ts";
import { normParameters, type ParameterSpec } from "../parameter.ts";
import { innerWidthOf, tokenTable } from "./encoder.ts";
import {
  applyMixerBlock,
  type MixerBlockOptions,
  type MixerBlockSizes,
  mixerBlockParameters,
  mixerLinear,
  mixerNorm,
} from "./mixer-block.ts";
import type { PretrainModelConfig } from "./pretrain-config.ts";
import { countTokens } from "./token-layout.ts";

// Legend: V views, C class tokens, K kept and M removed tokens of each, W the encoder's and G the decoder's width, D features.

/** What the decoder gets. */
export interface DecoderInput {
  /** `[V, C + K, W]`, as the encoder leaves them. */
  readonly encoded: tf.Tensor3D;
  /** i32 `[V, K]` and `[V, M]`: places of the tokens in the region. */
  readonly kept: tf.Tensor2D;
  readonly removed: tf.Tensor2D;
  /** i32 `[V, K]` and `[V, M]`, 0 for what only fills up; absent: nothing does. */
  readonly keptPresent?: tf.Tensor2D;
  readonly removedPresent?: tf.Tensor2D;
}

function decoderSizes({ masked, mixer }: PretrainModelConfig): MixerBlockSizes {
  const { decoderWidth: width, decoderHeads: heads } = masked;
  return { width, heads, innerWidth: innerWidthOf(width, mixer.innerRatio), layerScaleInit: mixer.layerScaleInit };
}

/** The decoder's blocks in their order, named `blocks.<i>`. */
export function decoderBlocks({ masked }: Pick<PretrainModelConfig, "masked">): string[] {
  return Array.from({ length: masked.decoderDepth }, (_, i) => `blocks.${i}`);
}

/** Parameters `input`, `mask` `[1, G]`, `positions` `[T, G]`, `blocks.<i>`, `norm` and `output`. */
export function decoderParameters(config: PretrainModelConfig): ParameterSpec[] {
  const sizes = decoderSizes(config);
  return [
    ...mixerLinear("input", config.mixer.width, sizes.width),
    tokenTable("mask", 1, sizes.width),
    tokenTable("positions", countTokens(config.mixer), sizes.width),
    ...decoderBlocks(config).flatMap((name) => mixerBlockParameters(sizes, name)),
    ...normParameters("norm", sizes.width),
    ...mixerLinear("output", sizes.width, config.dIn),
  ];
}

/**
 * Predicts the features of the removed tokens, `[V·M, D]`.
 *
 * Source: the paper, eq. 4. Differs: tokens stay in the order class, kept, removed, which changes nothing, as attention knows places
 * by their codes alone; and the last block computes what the predictions need, which are the removed tokens alone.
 */
export function decodeRemoved(
  config: PretrainModelConfig,
  input: DecoderInput,
  context: ForwardContext,
  { hasDropPath = false }: Pick<MixerBlockOptions, "hasDropPath"> = {},
): tf.Tensor2D {
  const sizes = decoderSizes(config);
  const nRemoved = input.removed.shape[1];
  const sequence = placeTokens(config, input, context); // [V, C + K + M, G]
  const isPresent = presenceOf(config, input);
  const first = sequence.shape[1] - nRemoved;
  const decoded = decoderBlocks(config).reduce((x, name, i) => {
    const isLast = i === config.masked.decoderDepth - 1;
    return applyMixerBlock(sizes, name, { tokens: x, ...(isPresent && { isPresent }) }, context, {
      ...(isLast && { queries: { first, count: nRemoved } }),
      hasDropPath,
    });
  }, sequence); // [V, M, G]
  const normed = tf.reshape(mixerNorm(context, "norm", decoded), [-1, sizes.width]);
  return linear(normed, context.parameter("output.weight"), context.parameter("output.bias")) as tf.Tensor2D;
}

/** Class tokens, kept tokens and mask tokens with the codes of their places; class tokens have none. */
function placeTokens(
  { mixer, masked }: PretrainModelConfig,
  { encoded, kept, removed }: DecoderInput,
  context: ForwardContext,
): tf.Tensor3D {
  const { classTokens } = mixer;
  const width = masked.decoderWidth;
  const [nViews, nRemoved] = removed.shape;
  const nKept = kept.shape[1];
  const input = linear(encoded, context.parameter("input.weight"), context.parameter("input.bias")) as tf.Tensor3D;
  const classes = tf.slice(input, [0, 0, 0], [-1, classTokens, -1]); // [V, C, G]
  const visible = tf.slice(input, [0, classTokens, 0], [-1, nKept, -1]); // [V, K, G]
  const masks = expandTo(context.parameter("mask"), [nViews, nRemoved, width]) as tf.Tensor3D;
  const places = tf.reshape(tf.concat2d([kept, removed], 1), [-1]);
  const codes = tf.reshape(lookupRows(context.parameter("positions"), places), [nViews, nKept + nRemoved, width]);
  return tf.concat3d([classes, tf.add<tf.Tensor3D>(tf.concat3d([visible, masks], 1), codes)], 1);
}

function presenceOf({ mixer }: PretrainModelConfig, { keptPresent, removedPresent }: DecoderInput) {
  if (keptPresent === undefined || removedPresent === undefined) return undefined;
  const classes: tf.Tensor2D = tf.fill([keptPresent.shape[0], mixer.classTokens], 1, "int32");
  return tf.concat2d([classes, keptPresent, removedPresent], 1);
}
