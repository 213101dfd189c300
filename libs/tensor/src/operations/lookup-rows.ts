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
    const row = tf.reshape(tf.range(0, table.shape[0] ?? 0, 1, "int32"), [-1, 1]); // [T, 1]
    const isRow = tf.cast(tf.equal(row, index), "float32"); // [T, n]
    return [tf.matMul(isRow, dy), tf.zeros(index.shape)];
  },
});

/**
 * Rows `index` (i32 `[n]`) of a `table` [T, W], f32 [n, W], where T or n is small. Its gradient by the table is one matrix product with n·T
 * zeros and ones, many times faster than a scattered sum while the lesser of them is a few hundred; `index` has none.
 */
export function lookupRows(table: Tensor, index: Tensor): Tensor {
  return lookup([table, index], undefined);
}
