import type { Recorder } from "../capture/recorder.ts";
import { float, int, type RecordedValue } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { type KernelTable, transpose } from "./kernel.ts";

/** A matrix, and whether it is read transposed. */
export interface Factor {
  readonly value: RecordedValue;
  readonly isTransposed: boolean;
}

/** One Gemm of two matrices: transposes are flags, never copies. */
export function emitGemm(recorder: Recorder, a: Factor, b: Factor, bias?: RecordedValue): RecordedValue {
  const rows = a.value.shape[a.isTransposed ? 1 : 0]!;
  const columns = b.value.shape[b.isTransposed ? 0 : 1]!;
  const attributes = {
    alpha: float(1),
    beta: float(1),
    transA: int(a.isTransposed ? 1 : 0),
    transB: int(b.isTransposed ? 1 : 0),
  };
  const operands = bias === undefined ? [a.value, b.value] : [a.value, b.value, bias];
  return recorder.emit("Gemm", operands, { dtype: "f32", shape: [rows, columns] }, { attributes });
}

/** The last two axes exchanged if the factor is read transposed; the runtime fuses this into the product. */
function oriented(recorder: Recorder, { value, isTransposed }: Factor): RecordedValue {
  const rank = value.shape.length;
  const axes = value.shape.map((_, i) => i);
  return isTransposed ? transpose(recorder, value, [...axes.slice(0, -2), rank - 1, rank - 2]) : value;
}

/** Products of matrices. */
export const matmulKernels: KernelTable = {
  BatchMatMul({ recorder, input, attrs }) {
    const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
    const a: Factor = { value: input("a"), isTransposed: transposeA };
    const b: Factor = { value: input("b"), isTransposed: transposeB };
    if (a.value.shape.length === 2 && b.value.shape.length === 2) return emitGemm(recorder, a, b);
    const left = oriented(recorder, a);
    const right = oriented(recorder, b);
    const batch = tf.broadcast_util.assertAndGetBroadcastShape(left.shape.slice(0, -2), right.shape.slice(0, -2));
    const shape = [...batch, left.shape.at(-2)!, right.shape.at(-1)!];
    return recorder.emit("MatMul", [left, right], { dtype: "f32", shape });
  },
};
