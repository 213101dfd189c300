import { maxOverTiles, tf } from "@parfocal/tensor";

/**
 * The pseudo-inverse of matrices whose rows are softmaxes, `a` `[H, m, m]` -> `[H, m, m]`, by `nSteps` steps of third order:
 * `Z <- Z (13 I - A Z (15 I - A Z (7 I - A Z))) / 4`, from `Aᵀ` over the largest sum of a column of any head. All operations are
 * differentiable.
 *
 * Source: Xiong et al. 2021 (Nyströmformer, arXiv:2102.03902), eq. 11, started as the public programs do. Differs: those divide by the
 * largest sum of a row too, which is 1 for a softmax.
 */
export function pseudoInverse(a: tf.Tensor3D, nSteps: number): tf.Tensor3D {
  // Landmarks of empty places have equal columns: the gradient must go to one of them, not to all.
  const largest = maxOverTiles(tf.reshape(tf.sum(a, 1), [-1, 1])); // [1]
  let z: tf.Tensor3D = tf.div(tf.transpose(a, [0, 2, 1]), largest);
  for (let step = 0; step < nSteps; step++) {
    const az = tf.matMul(a, z);
    const inner = tf.sub<tf.Tensor3D>(tf.mul(az, 7), tf.matMul(az, az));
    const middle = tf.sub<tf.Tensor3D>(tf.mul(az, 15), tf.matMul(az, inner));
    z = tf.mul(tf.sub(tf.mul(z, 13), tf.matMul(z, middle)), 0.25);
  }
  return z;
}
