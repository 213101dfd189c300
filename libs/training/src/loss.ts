import { DomainError } from "@parfocal/errors";
import type { BagTarget, ModelOutput, RegressionTask, Task } from "@parfocal/models";
import { sigmoidCrossEntropy, softmaxCrossEntropy, tf } from "@parfocal/tensor";
import { survivalCrossEntropy } from "./survival-cross-entropy.ts";

/**
 * The loss of one bag from its logits `[K]` and its target rows `[2, K]` (see `encodeTarget`), as a scalar.
 *
 * Softmax: `sum w t (logsumexp(z) - z)`; sigmoids: `sum w (softplus(z) - t z)`; numbers: `sum w rho(z - t)` with Huber's rho, `r^2 / 2` up to
 * delta and `delta (|r| - delta / 2)` beyond, or `r^2`; survival by cross entropy: see `survivalCrossEntropy`. Finite for every finite
 * logit. Cox has no loss of one bag.
 */
export function bagLoss(task: Task, logits: tf.Tensor1D, target: tf.Tensor2D): tf.Scalar {
  const k = logits.shape[0];
  const targets = tf.reshape<tf.Rank.R1>(tf.slice(target, [0, 0], [1, k]), [k]);
  const weights = tf.reshape<tf.Rank.R1>(tf.slice(target, [1, 0], [1, k]), [k]);
  if (task.kind === "survival" && task.loss === "ce")
    return survivalCrossEntropy(logits, { targets, weights }, task.alpha);
  if (task.link === "softmax") return softmaxCrossEntropy(logits, tf.mul(targets, weights)) as tf.Scalar;
  if (task.link === "sigmoid") return tf.sum(tf.mul(weights, sigmoidCrossEntropy(logits, targets)));
  if (task.kind !== "regression") throw new DomainError("INTERNAL", `a ${task.kind} task has no loss of one bag`);
  return tf.sum(tf.mul(weights, distance(task, tf.sub(logits, targets))));
}

/** What a regression makes of residuals, each by itself. */
function distance({ loss, delta }: RegressionTask, residuals: tf.Tensor): tf.Tensor {
  if (loss === "mse") return tf.square(residuals);
  const size = tf.abs(residuals);
  const inner = tf.minimum(size, delta);
  return tf.add(tf.mul(tf.square(inner), 0.5), tf.mul(tf.sub(size, inner), delta));
}

/** What a model made of one bag, as far as losses look at it. */
type Opinions = Pick<ModelOutput, "logits" | "auxiliary" | "objective">;

/**
 * The loss of what a model made of one bag: of its logits, and of its head's second opinion where there is one; or the head's own
 * objective.
 */
export function outputLoss(task: Task, output: Opinions, target: tf.Tensor2D): tf.Scalar {
  return lossOfAll(
    output,
    (logits) => bagLoss(task, logits, target),
    () => bagTarget(task, target),
  );
}

/** {@link outputLoss} by the loss of each set of logits, in the order in which the head makes them. */
function lossOfAll(
  { logits, auxiliary, objective }: Opinions,
  lossOf: (logits: tf.Tensor1D) => tf.Scalar,
  target: () => Omit<BagTarget, "lossOf">,
): tf.Scalar {
  if (objective !== undefined) return objective({ ...target(), lossOf });
  const loss = lossOf(logits);
  if (auxiliary === undefined) return loss;
  const { weight } = auxiliary;
  return tf.add(tf.mul(loss, 1 - weight), tf.mul(lossOf(auxiliary.logits), weight));
}

/**
 * Every set of logits that {@link outputLoss} looks at, `[S, K]`: the bag's, a second opinion's, those of sub-bags. How many there are
 * depends on the model alone.
 */
export function opinions(output: Opinions): tf.Tensor2D {
  const found: tf.Tensor1D[] = [];
  lossOfAll(
    output,
    (logits) => {
      found.push(logits);
      return tf.sum(logits);
    },
    () => nobody(output.logits),
  );
  return tf.stack(found) as tf.Tensor2D;
}

/**
 * {@link outputLoss} with a straight line `sum g z + c` in place of each set's loss, `pulls` `[S, K + 1]` being g and c in the order of
 * {@link opinions}. With the tangents of a loss that joins several bags this has that loss's gradient exactly.
 *
 * Source: Gao et al. 2021, gradient caching.
 */
export function pulledLoss(output: Opinions, pulls: tf.Tensor2D): tf.Scalar {
  const rows = tf.unstack(pulls) as tf.Tensor1D[];
  let next = 0;
  return lossOfAll(
    output,
    (logits) => {
      const pull = rows[next];
      next += 1;
      return tf.sum(tf.mul(pull as tf.Tensor1D, tf.concat1d([logits, tf.ones([1])])));
    },
    () => nobody(output.logits),
  );
}

/** The target of heads that ask what a bag is, where nothing can be said of one bag. */
function nobody(logits: tf.Tensor1D): Omit<BagTarget, "lossOf"> {
  return { isTrue: tf.zerosLike(logits), weights: tf.onesLike(logits) };
}

/** A target `[2, K]` as heads may ask for it. */
function bagTarget(task: Task, target: tf.Tensor2D): Omit<BagTarget, "lossOf"> {
  const [targets, weights] = tf.unstack(target) as [tf.Tensor1D, tf.Tensor1D];
  return {
    isTrue: tf.mul(isMet(task, targets, weights), tf.cast(tf.greater(weights, 0), "float32")),
    weights,
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
