import type { Tensor, Tensor1D } from "@tensorflow/tfjs";
import { int } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

const permute = defineOperation<readonly [Tensor, Tensor, Tensor], undefined>({
  name: "permuteRows",
  emit: (recorder, [x, order]) => recorder.emit("Gather", [x, order], x, { attributes: { axis: int(0) } }),
  eager: ([x, order]) => tf.gather(x, order as Tensor1D),
  gradient: (dy, { inputs: [, order, inverse] }): Tensor[] => [
    permuteRows(dy, inverse, order),
    tf.zerosLike(order),
    tf.zerosLike(inverse),
  ],
});

/**
 * The rows of `x` [N, ...] in another order: row i of the result is row `order[i]` of `x`. `order` and `inverse` are i32 [N] with
 * `inverse[order[i]] = i`; with them the gradient is a gather too, many times faster than the scattered sum of `tf.gather`.
 */
export function permuteRows(x: Tensor, order: Tensor, inverse: Tensor): Tensor {
  return permute([x, order, inverse], undefined);
}
