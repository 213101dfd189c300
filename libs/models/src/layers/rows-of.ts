import { tf } from "@parfocal/tensor";

/** The parts of `x` along its first axis. tfjs has no right gradient of unstacking a single one, so that is reshaped. */
export function rowsOf<T extends tf.Tensor>(x: tf.Tensor): T[] {
  return x.shape[0] === 1 ? [tf.reshape(x, x.shape.slice(1)) as T] : (tf.unstack(x) as T[]);
}
