/** Attention among the tokens of each region. Legend: N tokens, C width, H heads, k taps. */
import {
  type AttentionLayer,
  type RegionAttentionOptions,
  type RegionPlaces,
  regionAttention,
  tf,
} from "@parfocal/tensor";
import type { ForwardContext } from "../model.ts";
import { linearParameters, type ParameterSpec } from "../parameter.ts";
import { applyLinear } from "./linear.ts";

/** How {@link attendInRegions} attends. */
export interface InnerAttention {
  readonly heads: number;
  readonly hasBias: boolean;
  /** `[H, k]`, k odd: scores gain their convolution with it along the queries. */
  readonly taps?: tf.Tensor2D;
}

/** Regions whose tokens attend to each other; see {@link RegionAttentionOptions}. */
export type AttendedRegions = Pick<RegionAttentionOptions, "nPlaces" | "nSteps" | "isMasked"> & {
  readonly places: RegionPlaces;
};

/** Parameters `<name>.qkv` and `<name>.proj`. */
export function attentionParameters(name: string, width: number, hasBias: boolean): ParameterSpec[] {
  const scheme = "xavier-normal";
  return [
    ...linearParameters(`${name}.qkv`, { nIn: width, nOut: 3 * width, scheme, hasBias }),
    ...linearParameters(`${name}.proj`, { nIn: width, nOut: width, scheme }),
  ];
}

/**
 * Parameters `<name>.epeg.weight` `[H, k]` and `<name>.epeg.bias` `[H]`. The bias adds one number to all scores of a query, which
 * the softmax takes away again: it is there for the public program's checkpoints, and its gradient is 0.
 */
export function epegParameters(name: string, heads: number, nTaps: number): ParameterSpec[] {
  // Xavier of the convolution [H, 1, k, 1] as torch counts it: fan in k, fan out H·k.
  const std = Math.sqrt(2 / ((1 + heads) * nTaps));
  return [
    {
      name: `${name}.epeg.weight`,
      shape: [heads, nTaps],
      init: { kind: "normal", std },
      decay: true,
      isTrainable: true,
    },
    { name: `${name}.epeg.bias`, shape: [heads], init: { kind: "zeros" }, decay: false, isTrainable: true },
  ];
}

/**
 * The taps `[H, k]` of EPEG, by which queries gain their own convolution. The paper's scores become E + conv(E) along the query index;
 * as E[i, j] = q_i · k_j, that is attention with the queries q + conv(q). No map of scores is ever made.
 *
 * Source: Tang et al. 2024 (arXiv:2402.17228), eq. 6. Differs: the public program convolves the scores; equal up to rounding.
 */
export function epegTaps(context: ForwardContext, name: string): tf.Tensor2D {
  const taps = context.parameter<tf.Tensor2D>(`${name}.epeg.weight`); // [H, k]
  // Taps that are the parameter itself are known when a served model is captured.
  if (context.isInference && !tf.engine().isTapeOn()) return taps;
  const bias = context.parameter<tf.Tensor1D>(`${name}.epeg.bias`); // [H]
  return tf.add(taps, tf.mul(tf.reshape(bias, [-1, 1]), 0)); // A gradient of 0 is one.
}

/**
 * Attention of the tokens of each region among themselves, with the projection behind the heads: `[N, C]` -> `[N, C]`. The
 * projection looks at one row at a time: behind the way back it has no padding to multiply.
 */
export function attendInRegions(
  context: ForwardContext,
  name: string,
  tiles: tf.Tensor2D,
  { places, ...sizes }: AttendedRegions,
  { heads, hasBias, taps }: InnerAttention,
): tf.Tensor2D {
  const weights = tf.split(context.parameter<tf.Tensor2D>(`${name}.qkv.weight`), 3, 0); // 3 of [C, C]
  const biases = hasBias ? tf.split(context.parameter<tf.Tensor1D>(`${name}.qkv.bias`), 3, 0) : [];
  const layer = (i: number) =>
    ({ weight: weights[i], bias: biases[i] ?? tf.zeros([tiles.shape[1]]) }) as unknown as AttentionLayer;
  const layers = { query: layer(0), key: layer(1), value: layer(2) };
  const attended = regionAttention(tiles, layers, places, { heads, ...sizes, ...(taps && { taps }) }); // [N, C]
  return applyLinear(context, `${name}.proj`, attended);
}
