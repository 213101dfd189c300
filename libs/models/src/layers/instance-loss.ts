/**
 * CLAM's instance loss: the tiles that the attention picks out should look like their class, those it passes over should not. Legend:
 * N tiles, W width, K classes, A branches (1 or K), k tiles at each end.
 */
import { indexVector, softmaxCrossEntropy, tf } from "@parfocal/tensor";
import type { BagTarget } from "../model.ts";
import type { ScoredTiles } from "./attention-pooling.ts";
import { largestTiles } from "./largest-tiles.ts";
import { rowsOf } from "./rows-of.ts";
import { smoothSvm } from "./smooth-svm.ts";

/** How {@link instanceLoss} is taken. */
export interface InstanceLossConfig {
  /** k. */
  readonly instances: number;
  /** Of one tile: smooth SVM or cross entropy. */
  readonly instanceLoss: "svm" | "ce";
  /** Whether classes exclude each other, so that tiles picked for a class that the bag has not are no evidence of it. */
  readonly subtyping: boolean;
}

/** The instance classifier of each class: `[2, W]` and `[2]`. */
export interface InstanceClassifier {
  readonly weight: tf.Tensor2D;
  readonly bias: tf.Tensor1D;
}

/**
 * Of a class that the bag has, the mean over its k tiles of the largest scores (target 1) and its k of the smallest (target 0); with
 * `subtyping`, of a class that it has not, the mean over the k largest (target 0), and the sum is divided by K. Each class counts by
 * its weight in the target. A bag of fewer than 2 k tiles gives ⌊N/2⌋ at each end; one tile gives none, and 0.
 *
 * Source: Lu et al. 2021 (arXiv:2004.09666), Methods, and their public program. Differs: that refuses bags of fewer than k tiles.
 */
export function instanceLoss(
  tiles: ScoredTiles,
  classifiers: readonly InstanceClassifier[],
  { isTrue, weights }: Pick<BagTarget, "isTrue" | "weights">,
  { instances: k, instanceLoss: kind, subtyping }: InstanceLossConfig,
): tf.Scalar {
  const nTiles = tiles.hidden.shape[0];
  const isCounted = indexVector(k, [nTiles], (math, [i, n]) => math.less(i, math.div(n, math.constant(2))));
  const counted = tf.cast(isCounted, "float32"); // [k]
  const nCounted = tf.maximum(tf.sum(counted), 1);
  const logits = classify(pickTiles(tiles, k), classifiers); // [K, 2k, 2]
  const [top, bottom] = tf.split(logits, 2, 1) as [tf.Tensor3D, tf.Tensor3D]; // [K, k, 2]
  const meanOver = (losses: tf.Tensor) => tf.div(tf.sum(tf.mul(losses, counted), 1), nCounted); // [K, k] -> [K]
  const inClass = tf.div(tf.add(meanOver(lossAs(kind, top, 1)), meanOver(lossAs(kind, bottom, 0))), 2); // [K]
  const within = tf.sum(tf.mul(tf.mul(isTrue, weights), inClass));
  if (!subtyping) return within as tf.Scalar;
  const isOther = tf.mul(tf.sub(1, isTrue), weights); // [K]
  const across = tf.sum(tf.mul(isOther, meanOver(lossAs(kind, top, 0))));
  return tf.div(tf.add(within, across), classifiers.length);
}

/** Rows of the k largest and then the k smallest scores of each branch, `[A, 2k, W]`. */
function pickTiles({ hidden, scores }: ScoredTiles, k: number): tf.Tensor3D {
  const nBranches = scores.shape[1];
  const picks = tf.concat([largestTiles(scores, k), largestTiles(tf.neg(scores), k)], 1); // [A, 2k, N]
  const rows = tf.matMul(tf.reshape(picks, [2 * k * nBranches, hidden.shape[0]]), hidden); // [A·2k, W]
  return tf.reshape(rows, [nBranches, 2 * k, hidden.shape[1]]);
}

/** Every class's classifier on the tiles of its branch, or of the only one: `[A, 2k, W]` -> `[K, 2k, 2]`. */
function classify(rows: tf.Tensor3D, classifiers: readonly InstanceClassifier[]): tf.Tensor3D {
  const branches = rowsOf<tf.Tensor2D>(rows); // [2k, W] each
  const perClass = classifiers.map(({ weight, bias }, c) => {
    const own = branches[branches.length === 1 ? 0 : c] as tf.Tensor2D;
    return tf.add<tf.Tensor2D>(tf.matMul(own, weight, false, true), bias); // [2k, 2]
  });
  // The gradient of stacking a single one has the wrong shape in tfjs.
  return perClass.length === 1 ? tf.expandDims(perClass[0] as tf.Tensor2D, 0) : (tf.stack(perClass) as tf.Tensor3D);
}

/** Losses of `logits` `[K, k, 2]` where every tile's target is `target`: `[K, k]`. */
function lossAs(kind: InstanceLossConfig["instanceLoss"], logits: tf.Tensor3D, target: 0 | 1): tf.Tensor {
  const [nClasses, k] = logits.shape;
  const [no, yes] = [1 - target, target].map((value) => tf.fill([nClasses, k, 1], value)) as [tf.Tensor, tf.Tensor];
  const targets = tf.concat([no, yes], 2);
  return kind === "svm" ? smoothSvm(logits, targets) : softmaxCrossEntropy(logits, targets);
}
