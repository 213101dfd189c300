/**
 * Attention through landmarks. Legend: P places, of which T hold tokens, W width, H heads, d = W / H, m landmarks, l = P / m places of a
 * landmark, k taps.
 */
import { convolveRows, linear, multiHeadAttention, type Placement, takeRows, tf } from "@parfocal/tensor";
import type { ForwardContext } from "../model.ts";
import { linearParameters, type ParameterSpec } from "../parameter.ts";
import { applyLinear } from "./linear.ts";
import { pseudoInverse } from "./pseudo-inverse.ts";
import type { firstTokens } from "./token-grid.ts";

/** What Nyström attention is made of. */
export interface NystromConfig {
  /** H; divides the width. */
  readonly heads: number;
  /** m. */
  readonly landmarks: number;
  /** Steps of the pseudo-inverse. */
  readonly pinvSteps: number;
  /** k, odd. */
  readonly convTaps: number;
}

/** Parameters `<name>.qkv` (no bias), `<name>.conv.weight` `[H, k]` and `<name>.out`. */
export function nystromParameters(name: string, width: number, { heads, convTaps }: NystromConfig): ParameterSpec[] {
  const bound = 1 / Math.sqrt(convTaps);
  const conv: ParameterSpec = {
    name: `${name}.conv.weight`,
    shape: [heads, convTaps],
    init: { kind: "uniform", bound },
    decay: true,
    isTrainable: true,
  };
  return [
    ...linearParameters(`${name}.qkv`, { nIn: width, nOut: 3 * width, hasBias: false }),
    conv,
    ...linearParameters(`${name}.out`, { nIn: width, nOut: width }),
  ];
}

/** What the landmarks of a bag know, ready for any query. */
interface Landmarks {
  /** Of a query's layer, `[W, W]`. */
  readonly queryWeight: tf.Tensor2D;
  /** `[P, W]`; 0 at empty places. */
  readonly keys: tf.Tensor2D;
  /** `[P, W]`; 0 at empty places. */
  readonly values: tf.Tensor2D;
  /** `[1, m, W]`. */
  readonly landmarkKeys: tf.Tensor3D;
  /** `[1, m, W]`: `Z (softmax(q~ kᵀ) v)`. */
  readonly answers: tf.Tensor3D;
}

/**
 * Landmarks of `rows` `[P, W]`, which are 0 at empty places: means of l rows each. Empty places have no bias, so their keys and values
 * are 0 and they take their share of the softmax.
 *
 * Source: Xiong et al. 2021 (arXiv:2102.03902), eq. 13, as TransMIL's public program has it (padding in front, no mask). Differs in
 * the order of products only: `softmax(q k~ᵀ) (Z (softmax(q~ kᵀ) v))`, so that nothing of P × m is kept.
 */
function landmarksOf(context: ForwardContext, name: string, rows: tf.Tensor2D, config: NystromConfig): Landmarks {
  const { heads, landmarks, pinvSteps } = config;
  const [nPlaces, width] = rows.shape;
  const [queryWeight, keyWeight, valueWeight] = tf.split(context.parameter<tf.Tensor2D>(`${name}.qkv.weight`), 3) as [
    tf.Tensor2D,
    tf.Tensor2D,
    tf.Tensor2D,
  ];
  const means: tf.Tensor2D = tf.mean(tf.reshape(rows, [landmarks, nPlaces / landmarks, width]), 1); // [m, W]
  const [queries, landmarkKeys] = [queryWeight, keyWeight].map((weight) => asBatch(linear(means, weight))) as [
    tf.Tensor3D,
    tf.Tensor3D,
  ];
  const [keys, values] = [keyWeight, valueWeight].map((weight) => linear(rows, weight)) as [tf.Tensor2D, tf.Tensor2D];
  const seen = multiHeadAttention(queries, asBatch(keys), asBatch(values), { heads }); // [1, m, W]
  const scores = tf.matMul(byHead(queries, heads), byHead(landmarkKeys, heads), false, true); // [H, m, m]
  const weights = tf.softmax(tf.mul(scores, 1 / Math.sqrt(width / heads))) as tf.Tensor3D;
  const answers = tf.matMul(pseudoInverse(weights, pinvSteps), byHead(seen, heads)) as tf.Tensor3D; // [H, m, d]
  return { queryWeight, keys, values, landmarkKeys, answers: fromHeads(answers) };
}

function asBatch(x: tf.Tensor): tf.Tensor3D {
  return tf.reshape(x, [1, x.shape[0] ?? 0, x.shape[1] ?? 0]);
}

/** `[1, m, W]` as `[H, m, d]`. */
function byHead(x: tf.Tensor, heads: number): tf.Tensor3D {
  const [, nRows = 0, width = 0] = x.shape;
  return tf.transpose(tf.reshape(x, [nRows, heads, width / heads]), [1, 0, 2]);
}

/** `[H, m, d]` as `[1, m, W]`. */
function fromHeads(x: tf.Tensor3D): tf.Tensor3D {
  const [heads, nRows, depth] = x.shape;
  return tf.reshape(tf.transpose(x, [1, 0, 2]), [1, nRows, heads * depth]);
}

/**
 * The attention of every token, `[P, W]` -> the rows of `placements`, each `[R, W]` behind the output layer, without dropout or residual.
 * To the attention comes a convolution of the values along the places, one kernel for each head.
 */
export function attendAllTokens(
  context: ForwardContext,
  name: string,
  rows: tf.Tensor2D,
  placements: readonly Placement[],
  config: NystromConfig,
): tf.Tensor2D[] {
  const { queryWeight, values, landmarkKeys, answers } = landmarksOf(context, name, rows, config);
  const queries = asBatch(linear(rows, queryWeight));
  const attended = multiHeadAttention(queries, landmarkKeys, answers, { heads: config.heads }); // [1, P, W]
  const mixed = tf.add(
    tf.reshape(attended, rows.shape),
    convolveRows(values, context.parameter(`${name}.conv.weight`), config.landmarks),
  );
  return placements.map((placement) => applyLinear(context, `${name}.out`, takeRows(mixed, placement) as tf.Tensor2D));
}

/** What the class token gets, and what it looks at. */
export interface ClassTokenView {
  /** `[1, W]` behind the output layer, without dropout or residual. */
  readonly token: tf.Tensor2D;
  /** `[R, H]`: scaled products of its query and the keys of `looked`. */
  readonly scores: tf.Tensor2D;
}

/** Where {@link attendClassToken} finds its rows. */
export interface ClassTokenRows {
  /** `[P, W]`; 0 at empty places. */
  readonly rows: tf.Tensor2D;
  /** `[1, W]`: the class token's row. */
  readonly token: tf.Tensor2D;
  /** The class token and ⌊k/2⌋ tokens behind it. */
  readonly first: ReturnType<typeof firstTokens>;
  /** Whose keys are scored. */
  readonly looked: Placement;
}

/** The attention of the class token alone: what {@link attendAllTokens} gives for its row, of which nothing else is computed. */
export function attendClassToken(
  context: ForwardContext,
  name: string,
  { rows, token, first, looked }: ClassTokenRows,
  config: NystromConfig,
): ClassTokenView {
  const { heads } = config;
  const { queryWeight, keys, values, landmarkKeys, answers } = landmarksOf(context, name, rows, config);
  const [nPlaces, width] = rows.shape;
  const query = linear(token, queryWeight) as tf.Tensor2D; // [1, W]
  const attended = multiHeadAttention(asBatch(query), landmarkKeys, answers, { heads }); // [1, 1, W]
  const mixed = tf.add(tf.reshape(attended, [1, width]), convolveFirst(context, name, values, first));
  const perHead = tf.reshape(tf.mul(keys, query), [nPlaces, heads, width / heads]);
  const scores = tf.mul(tf.sum(perHead, 2), 1 / Math.sqrt(width / heads)); // [P, H]
  return {
    token: applyLinear(context, `${name}.out`, mixed as tf.Tensor2D),
    scores: takeRows(scores, looked) as tf.Tensor2D,
  };
}

/** The convolution of the values at the class token's place, `[1, W]`: before it are empty places only. */
function convolveFirst(
  context: ForwardContext,
  name: string,
  values: tf.Tensor2D,
  { placement, isThere }: ClassTokenRows["first"],
): tf.Tensor2D {
  const kernel = context.parameter<tf.Tensor2D>(`${name}.conv.weight`); // [H, k]
  const [heads, nTaps] = kernel.shape;
  const nFirst = (nTaps + 1) / 2;
  const [width, depth] = [values.shape[1], values.shape[1] / heads];
  const taps = tf.transpose(tf.slice(kernel, [0, nTaps - nFirst], [heads, nFirst])); // [⌈k/2⌉, H]
  const there = tf.mul(taps, tf.reshape(tf.cast(isThere, "float32"), [nFirst, 1]));
  const rows = tf.reshape(takeRows(values, placement), [nFirst, heads, depth]);
  return tf.reshape(tf.sum(tf.mul(rows, tf.reshape(there, [nFirst, heads, 1])), 0), [1, width]);
}
