import { DomainError } from "@parfocal/errors";
import { placeRows, sizeOf, takeRows, tf } from "@parfocal/tensor";
import { applyLinear } from "../layers/linear.ts";
import { declareEncoder, encoderBlocks, encodeTokens } from "../mixer/encoder.ts";
import { normaliseLevels } from "../mixer/level-norm.ts";
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
    const tokens = tf.add<tf.Tensor3D>(project(config, rows, nTokens, context), context.parameter("positions"));
    const isPresent = tf.cast(tf.less(tf.cast(slots, "float32"), sizeOf(tiles, 0)), "int32") as tf.Tensor2D;
    const how = { hasDropout: true, wanted: config.output === "compressed" ? "class" : "all" } as const;
    const encoded = encodeTokens(config, { tokens, isPresent }, context, how); // [R, C + T, W] or [R, C, W]
    if (how.wanted === "class") return { tiles: tf.reshape(encoded, [-1, config.classTokens * config.width]) };
    const contextualised = tf.slice(encoded, [0, config.classTokens, 0], [nRegions, nTokens, config.width]);
    return { tiles: takeRows(tf.reshape(contextualised, [-1, config.width]), placement) as tf.Tensor2D };
  },
};

function looksAtAll({ levels, levelCount }: MixerConfig): boolean {
  return levels.length === levelCount;
}

/** The tiles that are looked at, and where they lie. */
function regionsOf(config: MixerConfig, { tiles, kept, slots, places }: ReembedderInput) {
  if (slots === undefined || places === undefined || (kept === undefined) !== looksAtAll(config))
    throw new DomainError("INTERNAL", "the region mixer was run without the regions that it asks for");
  return { slots, places, tiles: kept === undefined ? tiles : (tf.gather(tiles, kept) as tf.Tensor2D) };
}

/** Rows at their places to tokens `[R, T, W]`. */
function project(config: MixerConfig, rows: tf.Tensor2D, nTokens: number, context: ForwardContext): tf.Tensor3D {
  if (!config.levelNorm) return tf.reshape(rows, [-1, nTokens, config.width]);
  const normed = normaliseLevels(config, tf.reshape(rows, [-1, nTokens, rows.shape[1]]), context);
  const projected = applyLinear(context, "input", tf.reshape(normed, [-1, rows.shape[1]]));
  return tf.reshape(projected, [-1, nTokens, config.width]);
}
