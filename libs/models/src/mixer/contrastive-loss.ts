import { softmaxCrossEntropy, tf } from "@parfocal/tensor";

// Legend: V views, two of each source side by side; P their width.

/** Shorter vectors count as this long. */
const SHORTEST = 1e-6;

/** Added to what is no candidate: exp of it is 0. */
const NEVER = -1e9;

/**
 * The normalised temperature-scaled cross entropy of `projections` `[V, P]`: each view is to find the other one of its source, rows 2i
 * and 2i + 1, among all others by the cosine. Mean over the views. With `slides` (i32 `[V]`), other views of a view's slide are no
 * candidates.
 *
 * Source: Chen et al. 2020 (SimCLR), eq. 1; the paper, eq. 5.
 */
export function contrastiveLoss(projections: tf.Tensor2D, temperature: number, slides?: tf.Tensor1D): tf.Scalar {
  const norms = tf.sqrt(tf.sum(tf.square(projections), 1, true));
  const units: tf.Tensor2D = tf.div(projections, tf.maximum(norms, SHORTEST));
  const scores = tf.div(tf.matMul(units, units, false, true), temperature); // [V, V]
  const views = tf.range(0, projections.shape[0], 1, "int32");
  const isPartner = equalsTo(partnerOf(views), views); // [V, V]
  const isBarred = slides === undefined ? equalsTo(views, views) : tf.sub(equalsTo(slides, slides), isPartner);
  const candidates = tf.add(scores, tf.mul(isBarred, NEVER));
  return tf.mean(softmaxCrossEntropy(candidates, isPartner));
}

/** The other view of the same source: i + 1 of an even, i - 1 of an odd i. */
function partnerOf(views: tf.Tensor1D): tf.Tensor1D {
  const two = tf.scalar(2, "int32");
  return tf.sub(tf.add(views, tf.scalar(1, "int32")), tf.mul(tf.mod(views, two), two));
}

/** `[V, V]`, 1 where `a` of the row equals `b` of the column. */
function equalsTo(a: tf.Tensor1D, b: tf.Tensor1D): tf.Tensor2D {
  return tf.cast(tf.equal(tf.expandDims(a, 1), tf.expandDims(b, 0)), "float32");
}
