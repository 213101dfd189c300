import { DomainError } from "@parfocal/errors";
import { linear, placeRows, scanBlocks, sizeOf, takeRows, tf } from "@parfocal/tensor";
import { applyLinear } from "../layers/linear.ts";
import { declareEncoder, encoderBlocks, encodeTokens } from "../mixer/encoder.ts";
import { normaliseLevels } from "../mixer/level-norm.ts";
import type { TokenBatch } from "../mixer/mixer-block.ts";
import { type MixerConfig, parseMixerConfig } from "../mixer/mixer-config.ts";
import type { ForwardContext, ReembedderDefinition, ReembedderInput } from "../model.ts";

// Legend: N tiles that are looked at, R regions, T tokens of a region, C class tokens, D features, W width.

/**
 * The mixing encoder on regions of several magnifications: a tile of each place is a token, tokens of a region attend to each other
 * and to C class tokens across all magnifications. Missing tiles are no keys.
 *
 * Source: Zimmermann et al. 2026 (arXiv:2602.22176). Differs: regions may have missing tiles; what the paper leaves open are options.
 */
export const regionMixer: ReembedderDefinition<MixerConfig> = {
  kind: "region-mixer",
  parseConfig: (json) => parseMixerConfig(json),
  outputWidth: ({ output, classTokens, width }) => (output === "compressed" ? classTokens * width : width),
  sideInputs: (config) => (looksAtAll(config) ? ["regions"] : ["kept", "regions"]),
  regions: ({ levelCount, levels, regionTiles }) => ({ levelCount, levels, regionTiles }),
  outputRows: (config) => (config.output === "compressed" ? "regions" : looksAtAll(config) ? "tiles" : "kept"),
  declare: declareEncoder,
  depth: (config) => ({ blocks: encoderBlocks(config), output: ["norm"] }),

  stem: {
    outputWidth: ({ levelNorm, width }, dIn) => (levelNorm ? dIn : width),
    // A norm that belongs to a magnification needs the tile's place, so the projection behind it waits for the body.
    forward: ({ levelNorm }, tiles, context) => (levelNorm ? tiles : applyLinear(context, "input", tiles)),
  },

  forward(config, input, context) {
    const { slots, places, tiles } = regionsOf(config, input);
    const placement = { source: tf.reshape(slots, [-1]), place: places };
    const [nRegions, nTokens] = slots.shape;
    const rows = placeRows(tiles, placement) as tf.Tensor2D; // [R·T, W], or [R·T, D] before a norm
    const isPresent = tf.cast(tf.less(tf.cast(slots, "float32"), sizeOf(tiles, 0)), "int32") as tf.Tensor2D;
    const whole = tf.reshape(rows, [nRegions, nTokens, rows.shape[1]]) as tf.Tensor3D;
    const encoded = encodeRegions(config, { tokens: whole, isPresent }, context); // [R, T, W] or [R, C, W]
    const { output, classTokens, width } = config;
    if (output === "compressed") return { tiles: tf.reshape(encoded, [-1, classTokens * width]) };
    return { tiles: takeRows(tf.reshape(encoded, [-1, width]), placement) as tf.Tensor2D };
  },
};

/**
 * Whole regions at their places to what comes out of them. At inference region after region, so that what lies between is as large as
 * one region; in training all at once, because gradients need it.
 */
function encodeRegions(config: MixerConfig, batch: Required<TokenBatch>, context: ForwardContext): tf.Tensor3D {
  if (!context.isInference) return encodeBatch(config, batch, context);
  const { stacked } = scanBlocks([batch.tokens, batch.isPresent], (blocks) => {
    const [tokens, isPresent] = blocks.map((x) => tf.expandDims(x, 0));
    const one = { tokens: tokens as tf.Tensor3D, isPresent: isPresent as tf.Tensor2D };
    return { stacked: [tf.squeeze(encodeBatch(config, one, context), [0])] };
  });
  return stacked[0] as tf.Tensor3D;
}

/** `[B, T, W]` (`[B, T, D]` before a norm) to `[B, T, W]`, or to the class tokens `[B, C, W]`. */
function encodeBatch(config: MixerConfig, { tokens, isPresent }: Required<TokenBatch>, context: ForwardContext) {
  const [nRegions, nTokens] = tokens.shape;
  const placed = tf.add<tf.Tensor3D>(project(config, tokens, context), context.parameter("positions"));
  const wanted = config.output === "compressed" ? "class" : "all";
  const encoded = encodeTokens(config, { tokens: placed, isPresent }, context, {
    hasDropout: config.dropout > 0,
    wanted,
  });
  return wanted === "class"
    ? encoded
    : tf.slice(encoded, [0, config.classTokens, 0], [nRegions, nTokens, config.width]);
}

function looksAtAll({ levels, levelCount }: MixerConfig): boolean {
  return levels.length === levelCount;
}

/** The tiles that are looked at, and where they lie. */
function regionsOf(config: MixerConfig, { tiles, kept, slots, places }: ReembedderInput) {
  if (slots === undefined || places === undefined || (kept === undefined) !== looksAtAll(config))
    throw new DomainError("INTERNAL", "the region mixer was run without the regions that it asks for");
  return { slots, places, tiles: kept === undefined ? tiles : (tf.gather(tiles, kept) as tf.Tensor2D) };
}

/** Features through the norms of their magnifications and the projection, which a stem has done where there are no such norms. */
function project(config: MixerConfig, tokens: tf.Tensor3D, context: ForwardContext): tf.Tensor3D {
  if (!config.levelNorm) return tokens;
  const normed = normaliseLevels(config, tokens, context);
  return linear(normed, context.parameter("input.weight"), context.parameter("input.bias")) as tf.Tensor3D;
}
