import type { BagTarget, ModelOutput, Task } from "@parfocal/models";
import { sigmoidCrossEntropy, softmaxCrossEntropy, tf } from "@parfocal/tensor";

/**
 * The loss of one bag from its logits `[K]` and its target rows `[2, K]` (see `encodeTarget`), as a scalar.
 *
 * Softmax: `sum w t (logsumexp(z) - z)`; sigmoids: `sum w (softplus(z) - t z)`. Finite for every finite logit.
 */
export function bagLoss(task: Task, logits: tf.Tensor1D, target: tf.Tensor2D): tf.Scalar {
  const k = logits.shape[0];
  const targets = tf.reshape(tf.slice(target, [0, 0], [1, k]), [k]);
  const weights = tf.reshape(tf.slice(target, [1, 0], [1, k]), [k]);
  if (task.link === "softmax") return softmaxCrossEntropy(logits, tf.mul(targets, weights)) as tf.Scalar;
  return tf.sum(tf.mul(weights, sigmoidCrossEntropy(logits, targets)));
}

/**
 * The loss of what a model made of one bag: of its logits, and of its head's second opinion where there is one; or the head's own
 * objective.
 */
export function outputLoss(
  task: Task,
  { logits, auxiliary, objective }: Pick<ModelOutput, "logits" | "auxiliary" | "objective">,
  target: tf.Tensor2D,
): tf.Scalar {
  if (objective !== undefined) return objective(bagTarget(task, target));
  const loss = bagLoss(task, logits, target);
  if (auxiliary === undefined) return loss;
  const { weight } = auxiliary;
  return tf.add(tf.mul(loss, 1 - weight), tf.mul(bagLoss(task, auxiliary.logits, target), weight));
}

/** A target `[2, K]` as heads may ask for it. */
function bagTarget(task: Task, target: tf.Tensor2D): BagTarget {
  const [targets, weights] = tf.unstack(target) as [tf.Tensor1D, tf.Tensor1D];
  return {
    isTrue: tf.mul(isMet(task, targets, weights), tf.cast(tf.greater(weights, 0), "float32")),
    weights,
    lossOf: (logits) => bagLoss(task, logits, target),
  };
}

/** The labels behind smoothed and weighted targets, `[K]`. */
function isMet(task: Task, targets: tf.Tensor1D, weights: tf.Tensor1D): tf.Tensor1D {
  if (task.link === "softmax")
    return tf.cast(tf.equal(tf.range(0, targets.size, 1, "int32"), tf.argMax(targets)), "float32");
  if (task.kind !== "multilabel") return tf.cast(tf.greater(targets, 0.5), "float32");
  // A weight of positives moves the target; what is left for the negative label, (1 - t) w times the known labels, it does not move.
  const nKnown = tf.sum(tf.cast(tf.greater(weights, 0), "float32"));
  return tf.cast(tf.less(tf.mul(tf.mul(tf.sub(1, targets), weights), nKnown), 0.5), "float32");
}

/** The same loss in f64 on the host: what validation reports, and the oracle of {@link bagLoss}. */
export function hostLoss(task: Task, logits: ArrayLike<number>, target: ArrayLike<number>): number {
  const z = Array.from(logits);
  const t = z.map((_, k) => target[k] ?? 0);
  const w = z.map((_, k) => target[z.length + k] ?? 0);
  const total = (term: (k: number, v: number) => number) => z.reduce((sum, v, k) => sum + (w[k] ?? 0) * term(k, v), 0);
  if (task.link === "sigmoid") return total((k, v) => softplus(v) - (t[k] ?? 0) * v);
  const max = Math.max(...z);
  const logSumExp = max + Math.log(z.reduce((sum, v) => sum + Math.exp(v - max), 0));
  return total((k, v) => (t[k] ?? 0) * (logSumExp - v));
}

function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}
