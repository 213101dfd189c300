import type { ModelOutput, Task } from "@parfocal/models";
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

/** The loss of what a model made of one bag: of its logits, and of its head's second opinion where there is one. */
export function outputLoss(
  task: Task,
  { logits, auxiliary }: Pick<ModelOutput, "logits" | "auxiliary">,
  target: tf.Tensor2D,
): tf.Scalar {
  const loss = bagLoss(task, logits, target);
  if (auxiliary === undefined) return loss;
  const { weight } = auxiliary;
  return tf.add(tf.mul(loss, 1 - weight), tf.mul(bagLoss(task, auxiliary.logits, target), weight));
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
