import { tf } from "@parfocal/tensor";

/** What `choose` makes of `x`, as a constant: no gradient flows back to `x`. For choices, which have none. */
export function chosen<T extends tf.Tensor>(x: tf.Tensor, choose: (x: tf.Tensor) => T): T {
  const run = tf.customGrad((input, save) => {
    (save as tf.GradSaveFunc)([input as tf.Tensor]);
    const gradFunc = (_dy: tf.Tensor, [saved]: tf.Tensor[]) => tf.zerosLike(saved as tf.Tensor);
    return { value: choose(input as tf.Tensor), gradFunc };
  });
  return run(x) as T;
}
