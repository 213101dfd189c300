import { DomainError } from "@parfocal/errors";
import { deriveSize, indexVector, linear, placeRows, scanBlocks, sizeOf, takeRows, tf } from "@parfocal/tensor";
import { applyLinear } from "../layers/linear.ts";
import { declareEncoder, encoderBlocks, encodeTokens } from "../mixer/encoder.ts";
import { foldLayerScales } from "../mixer/layer-scale.ts";
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
  folded: (config) =>
    config.layerScaleInit === 0
      ? undefined
      : { config: { ...config, layerScaleInit: 0 }, weights: (trained) => foldLayerScales(trained, "reembed") },

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

/** Tokens that go through the blocks at a time at inference: fewer leave the cores idle between operators, more leave their caches. */
const TOKENS_AT_A_TIME = 400;

/**
 * Whole regions at their places to what comes out of them. At inference a few regions at a time, so that what lies between is no larger
 * than they are; in training all at once, because gradients need it.
 */
function encodeRegions(config: MixerConfig, { tokens, isPresent }: Required<TokenBatch>, context: ForwardContext) {
  if (!context.isInference) return encodeBatch(config, { tokens, isPresent }, context);
  const [nRegions, nTokens, width] = tokens.shape;
  const size = Math.max(1, Math.floor(TOKENS_AT_A_TIME / (nTokens + config.classTokens)));
  const groups = groupsOf(nRegions, size);
  const { stacked } = scanBlocks(
    [
      tf.reshape(groups.fill(tokens), [groups.count, size, nTokens, width]),
      tf.reshape(groups.fill(isPresent), [groups.count, size, nTokens]),
    ],
    ([some, mask]) => {
      const group = { tokens: some as tf.Tensor3D, isPresent: mask as tf.Tensor2D };
      return { stacked: [encodeBatch(config, group, context)] };
    },
  );
  const [, , nRows = 0, nOut = 0] = stacked[0]?.shape ?? [];
  const encoded = tf.reshape(stacked[0] as tf.Tensor, [-1, nRows, nOut]) as tf.Tensor3D;
  return size === 1 ? encoded : tf.slice(encoded, [0, 0, 0], [nRegions, nRows, nOut]);
}

/** Regions in groups of `size`; the last region fills up the last group. */
function groupsOf(nRegions: number, size: number) {
  if (size === 1) return { count: nRegions, fill: (x: tf.Tensor): tf.Tensor => x };
  const count = deriveSize({
    symbol: "G",
    from: [nRegions],
    formula: (math, [n]) => math.div(math.add(n, math.constant(size - 1)), math.constant(size)),
  });
  const index = indexVector(count * size, [nRegions], (math, [i, n]) => {
    const isRegion = math.less(i, n);
    const last = math.sub(n, math.constant(1));
    return math.add(last, math.mul(isRegion, math.sub(i, last)));
  });
  return { count, fill: (x: tf.Tensor): tf.Tensor => tf.gather(x, index) };
}

/** `[B, T, W]` (`[B, T, D]` before a norm) to `[B, T, W]`, or to the class tokens `[B, C, W]`. */
function encodeBatch(config: MixerConfig, { tokens, isPresent }: Required<TokenBatch>, context: ForwardContext) {
  const [nRegions, nTokens] = tokens.shape;
  const placed = tf.add<tf.Tensor3D>(project(config, tokens, context), context.parameter("positions"));
  const wanted = config.output === "compressed" ? "class" : "all";
  const encoded = encodeTokens(config, { tokens: placed, isPresent }, context, {
    hasDropout: config.dropout > 0,
    hasDropPath: config.dropPath > 0,
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
