import { softmaxCrossEntropy, tf } from "@parfocal/tensor";
import { chosen } from "./chosen.ts";

/** By how much the true score should exceed the others. */
const MARGIN = 1;
/** Scores whose two largest are this far apart take the hard form: the smooth one then differs from it by less than 1/1000. */
const HARD_GAP = Math.log(1000);

/**
 * Smooth top-1 SVM of `scores` `[..., J]` for one-hot `target` of the same shape, J at least 2: `[...]`,
 * `logsumexp_j(s_j + [j ≠ y]) - s_y`, and `max_j(s_j + [j ≠ y]) - s_y` where the two largest scores are ln 1000 apart.
 *
 * Source: Berrada et al. 2018 (arXiv:1802.07595) with k = 1, temperature 1, margin 1, as CLAM trains with.
 */
export function smoothSvm(scores: tf.Tensor, target: tf.Tensor): tf.Tensor {
  const raised = tf.add(scores, tf.mul(tf.sub(1, target), MARGIN)); // [..., J]
  // The margin of the true score is 0, so this is logsumexp(raised) - s_y.
  const soft = softmaxCrossEntropy(raised, target); // [...]
  const hard = tf.sub(tf.max(raised, -1), tf.sum(tf.mul(scores, target), -1));
  const isHard = chosen(scores, farApart);
  return tf.add(tf.mul(isHard, hard), tf.mul(tf.sub(1, isHard), soft));
}

/** 1 where the two largest of the last axis are `HARD_GAP` apart, else 0. */
function farApart(scores: tf.Tensor): tf.Tensor {
  const { values } = tf.topk(scores, 2); // [..., 2]
  const [first, second] = tf.unstack(values, -1) as [tf.Tensor, tf.Tensor];
  return tf.cast(tf.greaterEqual(tf.sub(first, second), HARD_GAP), "float32");
}
