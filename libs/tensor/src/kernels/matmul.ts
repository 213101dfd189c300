import { MICROSOFT_DOMAIN } from "../capture/domains.ts";
import type { Recorder } from "../capture/recorder.ts";
import { type Attributes, dims, float, int, type RecordedValue } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { type KernelTable, like, reshape } from "./kernel.ts";

/** A matrix, and whether it is read transposed. */
export interface Factor {
  readonly value: RecordedValue;
  readonly isTransposed: boolean;
}

/**
 * One Gemm of two matrices: transposes are flags, never copies. Of two long columns read as rows it is a Gemm for each; a bias on many
 * rows is added behind it.
 */
export function emitGemm(recorder: Recorder, a: Factor, b: Factor, bias?: RecordedValue): RecordedValue {
  if (bias !== undefined) return emitBiased(recorder, a, b, bias);
  const isThin = a.isTransposed && !b.isTransposed && isThinColumns(a.value);
  return isThin ? emitRows(recorder, a.value, b) : emitProduct(recorder, a, b);
}

/** From this many rows on a node of its own adds a bias in less time: the runtime's Gemm first writes it into every row on one core. */
const MANY_ROWS = 256;

/** A symbolic number of rows counts as many. The sum takes the product's place, so that it needs no memory. */
function emitBiased(recorder: Recorder, a: Factor, b: Factor, bias: RecordedValue): RecordedValue {
  if (rowsOf(a) < MANY_ROWS) return emitProduct(recorder, a, b, bias);
  return like(recorder, "Add", [emitProduct(recorder, a, b), bias]);
}

function rowsOf({ value, isTransposed }: Factor): number {
  return value.shape.at(isTransposed ? -1 : -2) ?? 0;
}

function columnsOf({ value, isTransposed }: Factor): number {
  return value.shape.at(isTransposed ? -2 : -1) ?? 0;
}

function transposesOf(a: Factor, b: Factor): Attributes {
  return { alpha: float(1), transA: int(a.isTransposed ? 1 : 0), transB: int(b.isTransposed ? 1 : 0) };
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
  const attributes = { ...transposesOf(a, b), beta: float(1) };
  const operands = bias === undefined ? [a.value, b.value] : [a.value, b.value, bias];
  return recorder.emit("Gemm", operands, { dtype: "f32", shape: [rowsOf(a), columnsOf(b)] }, { attributes });
}

/**
 * A product of each pair of matrices. Transposes are flags of the runtime's own operator: as a node of its own, one that meets another
 * transpose would become a copy with single numbers far apart.
 */
function emitProducts(recorder: Recorder, a: Factor, b: Factor): RecordedValue {
  const [left, right] = [a, b].map(({ value }) => value.shape.slice(0, -2)) as [number[], number[]];
  const shape = [...tf.broadcast_util.assertAndGetBroadcastShape(left, right), rowsOf(a), columnsOf(b)];
  const type = { dtype: "f32" as const, shape };
  const factors = [a.value, b.value];
  if (!a.isTransposed && !b.isTransposed) return recorder.emit("MatMul", factors, type);
  return recorder.emit("FusedMatMul", factors, type, { attributes: transposesOf(a, b), domain: MICROSOFT_DOMAIN });
}

/** Products of matrices. */
export const matmulKernels: KernelTable = {
  BatchMatMul({ recorder, input, attrs }) {
    const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
    const a: Factor = { value: input("a"), isTransposed: transposeA };
    const b: Factor = { value: input("b"), isTransposed: transposeB };
    if (a.value.shape.length === 2 && b.value.shape.length === 2) return emitGemm(recorder, a, b);
    return emitProducts(recorder, a, b);
  },
};
