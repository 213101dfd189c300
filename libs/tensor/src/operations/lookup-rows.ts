import type { Tensor, Tensor1D } from "@tensorflow/tfjs";
import { int } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

// Legend: T rows of a table, W its width, n numbers.

const lookup = defineOperation<readonly [Tensor, Tensor], undefined>({
  name: "lookupRows",
  emit(recorder, [table, index]) {
    const type = { dtype: "f32" as const, shape: [index.shape[0] ?? 0, table.shape[1] ?? 0] };
    return recorder.emit("Gather", [table, index], type, { attributes: { axis: int(0) } });
  },
  eager: ([table, index]) => tf.gather(table, index as Tensor1D),
  gradient(dy, { inputs: [table, index] }) {
    const isRow = tf.oneHot(index as Tensor1D, table.shape[0] ?? 0).toFloat(); // [n, T]
    return [tf.matMul(isRow, dy, true), tf.zerosLike(index)];
  },
});

/**
 * Rows `index` (i32 `[n]`) of a small `table` [T, W], f32 [n, W]. Its gradient is one matrix product with n·T zeros and ones, many
 * times faster than a scattered sum while T is a few hundred.
 */
export function lookupRows(table: Tensor, index: Tensor): Tensor {
  return lookup([table, index], undefined);
}
