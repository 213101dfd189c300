import { layerNorm, linear, streamedAttention, tf, tokenMlp } from "@parfocal/tensor";
import { type DropoutSite, type ForwardContext, type StageDeclaration, TILES } from "../model.ts";
import { linearParameters, normParameters } from "../parameter.ts";
import { applyLinear } from "./linear.ts";

// Legend: N tiles, W width, H heads.

/** Sizes of {@link applyTransformerBlock}. */
export interface TransformerBlockConfig {
  /** Width W of the tiles. */
  readonly width: number;
  /** Number of heads; divides the width. */
  readonly heads: number;
  /** Width of the hidden layer over W. */
  readonly mlpRatio: number;
  /** Probability of dropping an activation behind each of the two branches. */
  readonly dropout: number;
}

/** Turns queries or keys `[1, N, W]` by their places; the identity without a rotary encoding. */
export type Rotation = (x: tf.Tensor3D) => tf.Tensor3D;

/** Parameters `<name>.norm1|qkv|out|norm2|mlp.0|mlp.1` and the sites `<name>.attention` and `<name>.mlp`. */
export function declareTransformerBlock(config: TransformerBlockConfig, name: string): StageDeclaration {
  const { width, dropout: probability } = config;
  const hidden = width * config.mlpRatio;
  const site = (branch: string): DropoutSite => ({ name: `${name}.${branch}`, shape: [TILES, width], probability });
  return {
    parameters: [
      ...normParameters(`${name}.norm1`, width),
      ...linearParameters(`${name}.qkv`, { nIn: width, nOut: 3 * width }),
      ...linearParameters(`${name}.out`, { nIn: width, nOut: width }),
      ...normParameters(`${name}.norm2`, width),
      ...linearParameters(`${name}.mlp.0`, { nIn: width, nOut: hidden }),
      ...linearParameters(`${name}.mlp.1`, { nIn: hidden, nOut: width }),
    ],
    dropoutSites: [site("attention"), site("mlp")],
  };
}

/**
 * A pre-norm transformer block: `u = x + Drop(MHA(LN(x)))`, `u + Drop(W2 gelu_tanh(W1 LN(u)))`, `[N, W]` -> `[N, W]`.
 *
 * Source: Pochet et al. 2023 (GPT-style block, ε 1e-5, no dropout of attention weights). Queries, keys and values lie in thirds
 * of one projection, heads side by side in each.
 */
export function applyTransformerBlock(
  config: TransformerBlockConfig,
  name: string,
  tiles: tf.Tensor2D,
  context: ForwardContext,
  rotate: Rotation,
): tf.Tensor2D {
  const attended = attend(config, name, norm(`${name}.norm1`, tiles, context), context, rotate); // [N, W]
  const middle = tf.add<tf.Tensor2D>(tiles, context.dropout(`${name}.attention`, attended));
  const [w1, b1, w2, b2] = ["mlp.0.weight", "mlp.0.bias", "mlp.1.weight", "mlp.1.bias"].map((part) =>
    context.parameter(`${name}.${part}`),
  ) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const mixed = tokenMlp(norm(`${name}.norm2`, middle, context), w1, b1, w2, b2) as tf.Tensor2D; // [N, W]
  return tf.add(middle, context.dropout(`${name}.mlp`, mixed));
}

function norm(name: string, x: tf.Tensor2D, context: ForwardContext): tf.Tensor2D {
  return layerNorm(x, context.parameter(`${name}.weight`), context.parameter(`${name}.bias`)) as tf.Tensor2D;
}

function attend(
  { width, heads }: TransformerBlockConfig,
  name: string,
  x: tf.Tensor2D,
  context: ForwardContext,
  rotate: Rotation,
): tf.Tensor2D {
  // The weights are cut, not the activations: N rows of 3 W would be copied in every bag.
  const weights = tf.split(context.parameter<tf.Tensor2D>(`${name}.qkv.weight`), 3);
  const biases = tf.split(context.parameter<tf.Tensor1D>(`${name}.qkv.bias`), 3);
  const [query, key, value] = weights.map((weight, i) => {
    return tf.reshape(linear(x, weight, biases[i]), [1, -1, width]) as tf.Tensor3D; // [1, N, W]
  }) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
  const mixed = streamedAttention(rotate(query), rotate(key), value, { heads }); // [1, N, W]
  return applyLinear(context, `${name}.out`, tf.reshape(mixed, [-1, width]));
}
