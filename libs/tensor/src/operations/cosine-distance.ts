import { DomainError } from "@parfocal/errors";
import type { Tensor } from "@tensorflow/tfjs";
import { tf } from "../tf.ts";
import { defineOperation, emitted } from "./define-operation.ts";

// Legend: n rows, D their width.

/** 1 / max(|row|, ε), [n, 1], and whether the row is longer than ε. */
function inverseNorms(x: Tensor, epsilon: number): { inverse: Tensor; isLong: Tensor } {
  const norm = tf.sqrt(tf.sum(tf.square(x), 1, true));
  return { inverse: tf.div(1, tf.maximum(norm, epsilon)), isLong: tf.cast(tf.greater(norm, epsilon), "float32") };
}

function cosine(x: Tensor, y: Tensor, epsilon: number): Tensor {
  const inverse = tf.mul(inverseNorms(x, epsilon).inverse, inverseNorms(y, epsilon).inverse);
  return tf.mul(tf.sum(tf.mul(x, y), 1, true), inverse); // [n, 1]
}

/** The gradient by `y`; by symmetry that by `x` with both exchanged. */
function slopeByOther(x: Tensor, y: Tensor, dy: Tensor, epsilon: number): Tensor {
  const { inverse, isLong } = inverseNorms(y, epsilon);
  const along = tf.mul(tf.mul(cosine(x, y, epsilon), isLong), tf.mul(inverse, tf.neg(inverse)));
  const across = tf.mul(inverse, inverseNorms(x, epsilon).inverse);
  const slope = tf.neg(tf.reshape(dy, [-1, 1])); // [n, 1]
  return tf.add(tf.mul(x, tf.mul(across, slope)), tf.mul(y, tf.mul(along, slope)));
}

const distanceOf = ([x, y]: readonly [Tensor, Tensor], epsilon: number): Tensor =>
  tf.sub(1, tf.reshape(cosine(x, y, epsilon), [-1]));

const distance = defineOperation<readonly [Tensor, Tensor], { readonly epsilon: number }>({
  name: "cosineDistance",
  // The sums and products of the plain form do; what is special is the gradient, whose parts merge with theirs.
  emit: (recorder, [x, y], { epsilon }) => {
    const tensors = [emitted(x), emitted(y)] as const;
    return recorder.valueOf(distanceOf(tensors, epsilon));
  },
  eager: (inputs, { epsilon }) => distanceOf(inputs, epsilon),
  gradient: (dy, { inputs: [x, y] }, { epsilon }) => [slopeByOther(y, x, dy, epsilon), slopeByOther(x, y, dy, epsilon)],
});

/**
 * `1 - x·y / (max(|x|, ε) max(|y|, ε))` of each row of `x` and `y` [n, D], f32 [n]. The gradient by a row is orthogonal to it as long
 * as the row is longer than ε.
 *
 * @throws {DomainError} SHAPE_MISMATCH when the shapes differ or are no matrices.
 */
export function cosineDistance(x: Tensor, y: Tensor, epsilon = 1e-6): Tensor {
  if (x.rank === 2 && tf.util.arraysEqual(x.shape, y.shape)) return distance([x, y], { epsilon });
  const message = `cosineDistance: x is [${x.shape.join(", ")}], y [${y.shape.join(", ")}]`;
  throw new DomainError("SHAPE_MISMATCH", message);
}
