import { tf } from "@parfocal/tensor";

/**
 * Which tile has the largest of the scores that `score` gives, `[N, K]` -> `[K]` i32; of equal scores the first wins. A choice has no
 * gradient: `score` runs unseen by the tape, which would else carry zeros back through all tiles.
 */
export function criticalTiles(score: () => tf.Tensor2D): tf.Tensor1D {
  const choose = tf.customGrad(() => ({ value: tf.argMax(score(), 0), gradFunc: () => [] }));
  return choose() as tf.Tensor1D;
}
