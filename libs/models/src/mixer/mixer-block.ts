import { layerNorm, linear, maskedAttention, multiHeadAttention, swishProduct, tf } from "@parfocal/tensor";
import type { ForwardContext } from "../model.ts";
import { linearParameters, normParameters, type ParameterSpec } from "../parameter.ts";
import { type Branch, dropPath } from "./drop-path.ts";
import { fusedMixerBlock, type Queries } from "./fused-block.ts";
import { type BlockPart, blockParts, layerScaleParameters } from "./layer-scale.ts";

// Legend: B sequences, S tokens of each, Q of them that ask, W width, h inner width.

/** Sizes of a block. */
export interface MixerBlockSizes {
  readonly width: number;
  readonly heads: number;
  /** h. */
  readonly innerWidth: number;
  /** What LayerScale has at first; 0: none. */
  readonly layerScaleInit: number;
}

/** Tokens of a batch of sequences. */
export interface TokenBatch {
  /** `[B, S, W]`. */
  readonly tokens: tf.Tensor3D;
  /** i32 `[B, S]`, 0 at tokens that nobody may attend to; absent: all count. */
  readonly isPresent?: tf.Tensor2D;
}

/** How the mixer's linear layers are filled; ours, as in MAE. */
const SCHEME = "xavier-uniform";

/** A linear layer of the mixer, with a bias. */
export function mixerLinear(name: string, nIn: number, nOut: number): ParameterSpec[] {
  return linearParameters(name, { nIn, nOut, scheme: SCHEME });
}

/**
 * Parameters `<name>.norm1|qkv|out|norm2|gate|up|down`, and `<name>.scale1|scale2` with LayerScale; the feed-forward layers have no
 * biases.
 */
export function mixerBlockParameters(sizes: MixerBlockSizes, name: string): ParameterSpec[] {
  const { width, innerWidth, layerScaleInit } = sizes;
  const inner = (part: string, nIn: number, nOut: number) =>
    linearParameters(`${name}.${part}`, { nIn, nOut, scheme: SCHEME, hasBias: false });
  return [
    ...normParameters(`${name}.norm1`, width),
    ...mixerLinear(`${name}.qkv`, width, 3 * width),
    ...mixerLinear(`${name}.out`, width, width),
    ...normParameters(`${name}.norm2`, width),
    ...inner("gate", width, innerWidth),
    ...inner("up", width, innerWidth),
    ...inner("down", innerWidth, width),
    ...layerScaleParameters(name, width, layerScaleInit),
  ];
}

/** What is asked of a block beside its tokens. */
export interface MixerBlockOptions {
  readonly queries?: Queries;
  /** Whether activations drop, at the sites `<name>.attention` and `<name>.mlp`. */
  readonly hasDropout?: boolean;
  /** Whether branches drop, at the sites `<name>.attention.path` and `<name>.mlp.path`. */
  readonly hasDropPath?: boolean;
}

/**
 * A pre-norm block: `u = x + Drop(s1 ⊙ Attention(LN x))`, `u + Drop(s2 ⊙ (silu(LN u Wg) · LN u Wu) Wd)`, s1 and s2 being LayerScale's
 * where there is any. With `queries`, those tokens alone come out, `[B, Q, W]`, and nothing is computed for others that does not
 * reach them.
 */
export function applyMixerBlock(
  sizes: MixerBlockSizes,
  name: string,
  batch: TokenBatch,
  context: ForwardContext,
  how: MixerBlockOptions = {},
): tf.Tensor3D {
  const { tokens, isPresent } = batch;
  const { queries = { first: 0, count: tokens.shape[1] }, hasDropout = false, hasDropPath = false } = how;
  const part = blockParts(name, sizes.layerScaleInit, context);
  if (!context.isInference && !hasDropout && !hasDropPath) {
    return fusedMixerBlock(tokens, part, { heads: sizes.heads, queries, ...(isPresent && { isPresent }) });
  }
  const drop = (branch: Branch, x: tf.Tensor3D): tf.Tensor3D => {
    const some = hasDropout ? context.dropout(`${name}.${branch}`, x) : x;
    return hasDropPath ? dropPath(context, name, branch, some) : some;
  };
  const attended = attend(sizes.heads, part, batch, queries); // [B, Q, W]
  const middle = tf.add<tf.Tensor3D>(rowsOf(tokens, queries), drop("attention", attended));
  const normed = mixerNorm(context, `${name}.norm2`, middle);
  const layer = (layerName: string, x: tf.Tensor) => linear(x, part(`${layerName}.weight`));
  const mixed = layer("down", swishProduct(layer("gate", normed), layer("up", normed))) as tf.Tensor3D; // [B, Q, W]
  return tf.add(middle, drop("mlp", mixed));
}

/** A norm with ε 1e-5. */
export function mixerNorm(context: ForwardContext, name: string, x: tf.Tensor3D): tf.Tensor3D {
  return layerNorm(x, context.parameter(`${name}.weight`), context.parameter(`${name}.bias`)) as tf.Tensor3D;
}

/** The asking tokens `[B, Q, W]`; the batch itself when all ask. */
function rowsOf(x: tf.Tensor3D, { first, count }: Queries): tf.Tensor3D {
  return count === x.shape[1] ? x : tf.slice(x, [0, first, 0], [-1, count, -1]);
}

function attend(heads: number, part: BlockPart, { tokens, isPresent }: TokenBatch, queries: Queries): tf.Tensor3D {
  const normed = layerNorm(tokens, part("norm1.weight"), part("norm1.bias")) as tf.Tensor3D;
  // The weights are cut, not the activations.
  const weights = tf.split(part<tf.Tensor2D>("qkv.weight"), 3);
  const biases = tf.split(part<tf.Tensor1D>("qkv.bias"), 3);
  const [query, key, value] = [rowsOf(normed, queries), normed, normed].map((x, i) =>
    linear(x, weights[i] as tf.Tensor, biases[i]),
  ) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const mixed =
    isPresent === undefined
      ? multiHeadAttention(query, key, value, { heads })
      : maskedAttention(query, key, value, isPresent, { heads });
  return linear(mixed, part("out.weight"), part("out.bias")) as tf.Tensor3D;
}
