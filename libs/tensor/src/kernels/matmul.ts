import type { Recorder } from "../capture/recorder.ts";
import { dims, float, int, type RecordedValue } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { type KernelTable, reshape, transpose } from "./kernel.ts";

/** A matrix, and whether it is read transposed. */
export interface Factor {
  readonly value: RecordedValue;
  readonly isTransposed: boolean;
}

/** One Gemm of two matrices: transposes are flags, never copies. Of two long columns read as rows it is a Gemm for each. */
export function emitGemm(recorder: Recorder, a: Factor, b: Factor, bias?: RecordedValue): RecordedValue {
  const isThin = a.isTransposed && !b.isTransposed && isThinColumns(a.value);
  return isThin && bias === undefined ? emitRows(recorder, a.value, b) : emitProduct(recorder, a, b, bias);
}

/** From this length on two products of a row take less than one of two rows. */
const LONG = 256;

/**
 * Whether columns had better be multiplied as single rows: those the runtime multiplies without copying the other factor into its order. A
 * symbolic length counts as long; both forms are right for any.
 */
function isThinColumns({ shape: [length = 0, nColumns = 0] }: RecordedValue): boolean {
  return nColumns === 1 || (nColumns === 2 && length >= LONG);
}

/** The columns of `a` [K, 1 or 2] as rows, times `b`. */
function emitRows(recorder: Recorder, a: RecordedValue, b: Factor): RecordedValue {
  const [depth = 0, nRows = 0] = a.shape;
  const product = (column: RecordedValue) =>
    emitProduct(recorder, { value: reshape(recorder, column, [1, depth]), isTransposed: false }, b);
  if (nRows === 1) return product(a);
  // Not of a transpose: the runtime would turn that into flags of the products again.
  const column = { dtype: a.dtype, shape: [depth, 1] };
  const columns = recorder.emitMany("Split", [a, dims([1, 1])], [column, column], { attributes: { axis: int(1) } });
  const shape = [nRows, b.value.shape[1] ?? 0];
  const attributes = { axis: int(0) };
  return recorder.emit("Concat", columns.map(product), { dtype: "f32", shape }, { attributes });
}

function emitProduct(recorder: Recorder, a: Factor, b: Factor, bias?: RecordedValue): RecordedValue {
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
