/**
 * CR-MSA: regions exchange what a few representatives say about them. Legend: G regions, P places of a region, C width, K
 * representatives of a region.
 */
import { expandTo, indexVector, linear, type RegionPlaces, scaleToRange, tf } from "@parfocal/tensor";
import type { ForwardContext } from "../model.ts";
import { linearParameters, type ParameterSpec } from "../parameter.ts";
import { attendInRegions, attentionParameters } from "./region-attention.ts";
import type { RegionGrid } from "./region-grid.ts";

/** What {@link attendAcrossRegions} is made of. */
export interface CrossRegionOptions {
  readonly nRepresentatives: number;
  readonly heads: number;
  readonly isMlp: boolean;
  readonly hasBias: boolean;
}

/** Takes the place of a range of zero. Source: the public program. */
const RANGE_EPSILON = 1e-8;
/** Added to logits of empty places before a softmax. */
const NEVER = -1e9;

/** Parameters `<name>.phi.*`, `<name>.qkv.*`, `<name>.proj.*`. */
export function crossRegionParameters(name: string, width: number, options: CrossRegionOptions): ParameterSpec[] {
  const { nRepresentatives, isMlp, hasBias } = options;
  const layer = (part: string, nIn: number, nOut: number) =>
    linearParameters(`${name}.phi.${part}`, { nIn, nOut, scheme: "xavier-normal", hasBias: false });
  const hidden = Math.floor(width / 4);
  // The public program fills [C, K] as if it were a layer of K inputs; first logits are large, and so are the first weights' contrasts.
  const bound = 1 / Math.sqrt(nRepresentatives);
  const phi: ParameterSpec[] = isMlp
    ? [...layer("down", width, hidden), ...layer("up", hidden, nRepresentatives)]
    : [
        {
          name: `${name}.phi.weight`,
          shape: [width, nRepresentatives],
          init: { kind: "uniform", bound },
          decay: true,
          isTrainable: true,
        },
      ];
  return [...phi, ...attentionParameters(name, width, hasBias)];
}

/**
 * Rows at their places `[G·P, C]` -> what their regions' representatives send back, `[G·P, C]`. `drop` is applied to the
 * representatives `[K·G, C]` behind the projection. Representative k of a region attends to those of the same k only.
 *
 * Source: Tang et al. 2024 (arXiv:2402.17228), eq. 7 to 11, in the form that the public program gives them. Differs: the three
 * products over `[G, K, P, C]` are two batched matrix products.
 */
export function attendAcrossRegions(
  context: ForwardContext,
  name: string,
  input: { readonly rows: tf.Tensor2D; readonly grid: RegionGrid; readonly drop: (x: tf.Tensor2D) => tf.Tensor2D },
  options: CrossRegionOptions,
): tf.Tensor2D {
  const { rows, grid, drop } = input;
  const { nRegions, nPlaces, isEmpty } = grid;
  const { nRepresentatives } = options;
  const width = rows.shape[1];
  const tokens: tf.Tensor3D = tf.reshape(rows, [nRegions, nPlaces, width]); // [G, P, C]
  const byToken: tf.Tensor3D = tf.reshape(score(context, name, rows, options), [nRegions, nPlaces, nRepresentatives]);
  const logits: tf.Tensor3D = tf.transpose(byToken, [0, 2, 1]); // [G, K, P]
  const gaps = isEmpty && tf.reshape(isEmpty, [nRegions, 1, nPlaces]);
  const combine = tf.softmax(gaps === undefined ? logits : tf.add<tf.Tensor3D>(logits, tf.mul(gaps, NEVER)));
  const representatives: tf.Tensor3D = tf.matMul(combine, tokens); // [G, K, C]
  const sent = exchange(context, name, representatives, { grid, drop, ...options }); // [G, K, C]
  const strength = scaleToRange(logits, RANGE_EPSILON, gaps) as tf.Tensor3D; // [G, K, P]
  const dispatch =
    nRepresentatives === 1 ? strength : tf.mul<tf.Tensor3D>(strength, tf.transpose(tf.softmax(byToken), [0, 2, 1]));
  return tf.reshape(tf.matMul(dispatch, sent, true, false), [nRegions * nPlaces, width]); // [G·P, C]
}

/** Logits `[G·P, K]` of every row for every representative. */
function score(context: ForwardContext, name: string, rows: tf.Tensor2D, { isMlp }: CrossRegionOptions): tf.Tensor2D {
  if (!isMlp) return tf.matMul(rows, context.parameter<tf.Tensor2D>(`${name}.phi.weight`));
  const hidden = tf.tanh(linear(rows, context.parameter(`${name}.phi.down.weight`)));
  return linear(hidden, context.parameter(`${name}.phi.up.weight`)) as tf.Tensor2D;
}

/** Attention of representatives across regions, each k for itself: `[G, K, C]` -> `[G, K, C]`. */
function exchange(
  context: ForwardContext,
  name: string,
  representatives: tf.Tensor3D,
  { grid, drop, heads, hasBias }: CrossRegionOptions & { grid: RegionGrid; drop: (x: tf.Tensor2D) => tf.Tensor2D },
): tf.Tensor3D {
  const { nRegions, nPlaces, isEmpty } = grid;
  const [, nRepresentatives, width] = representatives.shape;
  const nRows = nRepresentatives * nRegions;
  const rows: tf.Tensor2D = tf.reshape(tf.transpose(representatives, [1, 0, 2]), [nRows, width]); // [K·G, C]
  const emptyRegions = isEmpty && tf.min(tf.reshape(isEmpty, [nRegions, nPlaces]), 1); // [G]
  const places = identityPlaces(nRepresentatives, nRegions, emptyRegions);
  const regions = { places, nPlaces: nRegions, nSteps: 1, isMasked: grid.isMasked };
  const sent = drop(attendInRegions(context, name, rows, regions, { heads, hasBias })); // [K·G, C]
  return tf.transpose(tf.reshape(sent, [nRepresentatives, nRegions, width]), [1, 0, 2]);
}

/** Representatives in their own order, K times those of all regions; those of empty regions are marked. */
function identityPlaces(nRepresentatives: number, nRegions: number, isEmpty: tf.Tensor | undefined): RegionPlaces {
  const nRows = nRepresentatives * nRegions;
  const place = indexVector(nRows, [], (_math, [i]) => i);
  if (isEmpty === undefined) return { index: place, filled: tf.fill([nRows, 1], 1), place };
  const filled = expandTo(tf.reshape(tf.sub(1, isEmpty), [1, nRegions]), [nRepresentatives, nRegions]);
  return { index: place, filled: tf.reshape(filled, [nRows, 1]), place };
}
