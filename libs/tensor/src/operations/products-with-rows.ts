import type { Tensor, Tensor1D } from "@tensorflow/tfjs";
import { int } from "../capture/recording.ts";
import { emitGemm } from "../kernels/matmul.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

// Legend: T rows, W their width, n rows among them.

const products = defineOperation<readonly [Tensor, Tensor], undefined>({
  name: "productsWithRows",
  emit(recorder, [x, index]) {
    const type = { dtype: "f32" as const, shape: [index.shape[0] ?? 0, x.shape[1] ?? 0] };
    const rows = recorder.emit("Gather", [x, index], type, { attributes: { axis: int(0) } });
    return emitGemm(recorder, { value: x, isTransposed: false }, { value: rows, isTransposed: true });
  },
  eager: ([x, index]) => tf.matMul(x, tf.gather(x, index as Tensor1D), false, true),
  gradient(dy, { inputs: [x, index] }) {
    const rows = tf.gather(x, index as Tensor1D); // [n, W]
    const slopes = tf.matMul(dy, x, true); // [n, W]
    const place = tf.reshape(tf.range(0, x.shape[0] ?? 0, 1, "int32"), [-1, 1]); // [T, 1]
    const isRow = tf.cast(tf.equal(place, index), "float32"); // [T, n]
    // One product for what the rows give as factors and what comes to them as the rows that were chosen.
    return [tf.matMul(tf.concat([dy, isRow], 1), tf.concat([rows, slopes])), tf.zeros(index.shape)];
  },
});

/** Products of every row of `x` [T, W] with some of its rows, `index` (i32 `[n]`): `x · x[index]ᵀ`, f32 [T, n]. `index` has no gradient. */
export function productsWithRows(x: Tensor, index: Tensor): Tensor {
  return products([x, index], undefined);
}
