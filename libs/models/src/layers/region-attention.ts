/** Attention among the tokens of each group. Legend: B groups, T tokens of a group, C width, H heads, d = C/H. */
import { convolveTokens, linear, multiHeadAttention, tf } from "@parfocal/tensor";
import type { ForwardContext } from "../model.ts";
import { linearParameters, type ParameterSpec } from "../parameter.ts";

/** Sizes and parts of {@link attendInGroups}. */
export interface GroupAttention {
  /** B. */
  readonly nGroups: number;
  /** T. */
  readonly nTokens: number;
  readonly heads: number;
  readonly hasBias: boolean;
  /** `[B·T, 1]`, 1 at tokens that nobody may attend to; absent: all count. */
  readonly isEmpty?: tf.Tensor2D;
  /** `[H, k]`, k odd: scores are convolved with it along the queries. */
  readonly kernel?: tf.Tensor2D;
}

/** Added to the scores of empty tokens: exp of it is 0 beside any score that weights of finite size make. */
const NEVER = -1e6;

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
 * The kernel that folds EPEG into the queries. Scores become E + conv(E) along the query index; as E[i, j] = q_i · k_j, that is
 * attention with the queries q + conv(q): taps plus a one in the middle. No map of scores is ever made.
 *
 * Source: Tang et al. 2024 (arXiv:2402.17228), eq. 6. Differs: the public program convolves the scores; equal up to rounding.
 */
export function epegKernel(context: ForwardContext, name: string): tf.Tensor2D {
  const taps = context.parameter<tf.Tensor2D>(`${name}.epeg.weight`); // [H, k]
  const bias = context.parameter<tf.Tensor1D>(`${name}.epeg.bias`); // [H]
  const nTaps = taps.shape[1];
  const middle = tf.tensor2d([Array.from({ length: nTaps }, (_, i) => Number(2 * i === nTaps - 1))], [1, nTaps]);
  const nothing = tf.mul(tf.reshape(bias, [-1, 1]), 0); // [H, 1]
  return tf.add(tf.add(taps, middle), nothing);
}

/** What came out of {@link attendInGroups}: one row per token, before the projection. */
interface Attended {
  readonly rows: tf.Tensor2D;
  /** Width of a head in `rows`: d, and one zero more where tokens were masked. */
  readonly depth: number;
}

/** Attention of the tokens of each group among themselves: rows `[B·T, C]` -> `[B·T, H·d]`. Give it to {@link projectHeads}. */
export function attendInGroups(
  context: ForwardContext,
  name: string,
  rows: tf.Tensor2D,
  how: GroupAttention,
): Attended {
  const width = rows.shape[1];
  const weights = tf.split(context.parameter<tf.Tensor2D>(`${name}.qkv.weight`), 3, 0); // 3 of [C, C]
  const biases = how.hasBias ? tf.split(context.parameter<tf.Tensor1D>(`${name}.qkv.bias`), 3, 0) : [];
  const parts = weights.map((weight, i) => ({ weight, bias: biases[i] ?? tf.zeros([width]) }) as Part);
  const [query, key, value] = (
    how.isEmpty === undefined ? plainParts(rows, parts, how) : maskedParts(rows, how.isEmpty, parts, how)
  ) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const attended = multiHeadAttention(query, key, value, { heads: how.heads }); // [B, T, H·d]
  const wide = attended.shape[2] ?? width;
  return { rows: tf.reshape(attended, [how.nGroups * how.nTokens, wide]), depth: wide / how.heads };
}

/** A third of the layer that makes queries, keys and values. */
interface Part {
  readonly weight: tf.Tensor2D;
  readonly bias: tf.Tensor1D;
}

function inGroups(rows: tf.Tensor, { nGroups, nTokens }: GroupAttention): tf.Tensor3D {
  return tf.reshape(rows, [nGroups, nTokens, rows.shape[1] ?? 0]);
}

function convolved(query: tf.Tensor3D, { kernel }: GroupAttention): tf.Tensor3D {
  return kernel === undefined ? query : (convolveTokens(query, kernel) as tf.Tensor3D);
}

/** Queries, keys and values `[B, T, C]`; padding, if there is any, takes part like a tile. */
function plainParts(rows: tf.Tensor2D, parts: readonly Part[], how: GroupAttention): tf.Tensor3D[] {
  const [query, ...others] = parts.map(({ weight, bias }) => inGroups(linear(rows, weight, bias), how));
  return [convolved(query as tf.Tensor3D, how), ...others];
}

/**
 * Queries, keys and values with one channel more in each head, `[B, T, H·(d+1)]`: 1 in the queries, a large negative number in
 * the keys of empty tokens, 0 elsewhere. Fused attention then ignores those tokens without a mask, which would make it store its
 * scores. The flag of emptiness enters as one more feature of the rows.
 */
function maskedParts(
  rows: tf.Tensor2D,
  isEmpty: tf.Tensor2D,
  [query, key, value]: readonly Part[],
  how: GroupAttention,
): tf.Tensor3D[] {
  if (query === undefined || key === undefined || value === undefined) return [];
  const { heads } = how;
  const depth = rows.shape[1] / heads;
  const flagged = tf.concat2d([rows, isEmpty], 1); // [B·T, C+1]
  // Attention divides by √(d+1); scores are to be divided by √d.
  const scale = Math.sqrt((depth + 1) / depth);
  const scaled = { weight: tf.mul<tf.Tensor2D>(query.weight, scale), bias: tf.mul<tf.Tensor1D>(query.bias, scale) };
  // Empty rows are zero, so that taking the bias off them leaves queries that the convolution reads as outside the region.
  const queryWeight = tf.concat2d([scaled.weight, tf.reshape(tf.neg(scaled.bias), [-1, 1])], 1); // [C, C+1]
  const queries = convolved(inGroups(linear(flagged, queryWeight, scaled.bias), how), how); // [B, T, C]
  const keyWeight = tf.concat2d([widen(key.weight, heads), neverColumn(heads, depth)], 1); // [H·(d+1), C+1]
  return [
    withOnes(queries, heads),
    inGroups(linear(flagged, keyWeight, widen(key.bias, heads)), how),
    inGroups(linear(rows, widen(value.weight, heads), widen(value.bias, heads)), how),
  ];
}

/** The rows of `x` `[H·d, ...]` with a row of zeros behind each head. */
function widen<T extends tf.Tensor>(x: T, heads: number): T {
  const [nRows = 0, ...rest] = x.shape;
  const byHead = tf.reshape(x, [heads, nRows / heads, ...rest]);
  const padded = tf.pad(byHead, [[0, 0], [0, 1], ...rest.map((): [number, number] => [0, 0])]);
  return tf.reshape(padded, [nRows + heads, ...rest]) as T;
}

/** `[H·(d+1), 1]`, the large negative number in the last channel of each head. */
function neverColumn(heads: number, depth: number): tf.Tensor2D {
  const channels = Array.from({ length: heads * (depth + 1) }, (_, i) => (i % (depth + 1) === depth ? NEVER : 0));
  return tf.tensor2d(channels, [channels.length, 1]);
}

/**
 * `[B, T, H·d]` -> `[B, T, H·(d+1)]` with a 1 behind each head. Filled, not `tf.ones`: that writes its numbers down, which a
 * capture makes of sizes far beyond any bag.
 */
function withOnes(x: tf.Tensor3D, heads: number): tf.Tensor3D {
  const [nGroups, nTokens, width] = x.shape;
  const byHead = tf.reshape(x, [nGroups, nTokens, heads, width / heads]);
  return tf.reshape(tf.concat([byHead, tf.fill([nGroups, nTokens, heads, 1], 1)], 3), [
    nGroups,
    nTokens,
    width + heads,
  ]);
}

/** The projection behind the heads: `[R, H·d]` -> `[R, C]`. */
export function projectHeads(context: ForwardContext, name: string, { rows, depth }: Attended): tf.Tensor2D {
  const weight = context.parameter<tf.Tensor2D>(`${name}.proj.weight`); // [C, C]
  const bias = context.parameter<tf.Tensor1D>(`${name}.proj.bias`);
  const width = weight.shape[1];
  const heads = rows.shape[1] / depth;
  const isWide = rows.shape[1] !== width;
  const fitting = isWide ? tf.transpose(widen(tf.transpose(weight), heads)) : weight; // [C, H·d]
  return linear(rows, fitting, bias) as tf.Tensor2D;
}
