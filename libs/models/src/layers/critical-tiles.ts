import { tf } from "@parfocal/tensor";

/**
 * Ones at the largest score of each column and zeros elsewhere, `[N, K]` -> `[N, K]` f32; of equal scores the first wins. A
 * choice has no gradient: none reaches the scores.
 */
export function criticalTiles(scores: tf.Tensor2D): tf.Tensor2D {
  const choose = tf.customGrad((x) => {
    const columns = x as tf.Tensor2D;
    const tile = tf.reshape(tf.range(0, columns.shape[0], 1, "int32"), [-1, 1]); // [N, 1]
    const value = tf.cast(tf.equal(tile, tf.argMax(columns, 0)), "float32"); // [N, K]
    return { value, gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy) };
  });
  return choose(scores) as tf.Tensor2D;
}
