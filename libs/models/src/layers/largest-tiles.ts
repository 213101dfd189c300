import { tf } from "@parfocal/tensor";
import { chosen } from "./chosen.ts";

// Legend: N tiles, A columns of scores, k tiles of each.

/** Stands behind the tiles where a bag has fewer than k; below any score. */
const NEVER = -1e30;

/**
 * The `k` tiles of the largest scores in each column, as rows of zeros and a one: `[N, A]` -> `[A, k, N]` f32, largest first, of equals
 * the lowest number first. Where a bag has fewer tiles the last rows are zeros. A choice has no gradient.
 */
export function largestTiles(scores: tf.Tensor2D, k: number): tf.Tensor3D {
  return chosen(scores, (x) => {
    const [nTiles, nColumns] = (x as tf.Tensor2D).shape;
    const padded = tf.pad(
      tf.transpose(x as tf.Tensor2D),
      [
        [0, 0],
        [0, k],
      ],
      NEVER,
    );
    const { indices } = tf.topk(padded, k); // [A, k]
    const tile = tf.range(0, nTiles, 1, "int32"); // [N]
    return tf.cast(tf.equal(tf.reshape(indices, [nColumns, k, 1]), tile), "float32");
  });
}
