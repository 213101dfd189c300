import { MICROSOFT_DOMAIN } from "../capture/domains.ts";
import type { Recorder } from "../capture/recorder.ts";
import { type Attributes, dims, float, int, type RecordedValue } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { type KernelTable, like, reshape, transpose } from "./kernel.ts";

/** A matrix, and whether it is read transposed. */
export interface Factor {
  readonly value: RecordedValue;
  readonly isTransposed: boolean;
}

/**
 * One Gemm of two matrices: transposes of factors are flags, never copies. Of two long columns read as rows it is a Gemm for each; a
 * product of two long matrices that is much wider than high is made standing and turned; a bias on many rows is added behind it.
 */
export function emitGemm(recorder: Recorder, a: Factor, b: Factor, bias?: RecordedValue): RecordedValue {
  if (bias !== undefined) return emitBiased(recorder, a, b, bias);
  if (!a.isTransposed || b.isTransposed) return emitProduct(recorder, a, b);
  if (isThinColumns(a.value)) return emitRows(recorder, a.value, b);
  return isFlat(a.value, b.value) ? emitTurned(recorder, a.value, b.value) : emitProduct(recorder, a, b);
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

/**
 * Whether `aᵀ b` [M, N] is flat enough for the runtime to make `bᵀ a` in 5 to 20 % less time, turning it included: it brings a transposed
 * left factor into its order once for each 128 columns of the product. Measured for M from 64 to 256 at K from 1 000 to 10 000; nothing
 * is gained by M from 320 on, which has as many such columns.
 */
function isFlat({ shape: [depth = 0, nRows = 0] }: RecordedValue, { shape: [, nColumns = 0] }: RecordedValue): boolean {
  return depth >= LONG && nRows >= 64 && nRows <= 256 && nColumns >= 2 * nRows;
}

/** `aᵀ b` of `a` [K, M] and `b` [K, N] as the transpose of `bᵀ a`. */
function emitTurned(recorder: Recorder, a: RecordedValue, b: RecordedValue): RecordedValue {
  const standing = emitProduct(recorder, { value: b, isTransposed: true }, { value: a, isTransposed: false });
  const [nColumns = 0, nRows = 0] = standing.shape;
  // With an axis more: of a plain transpose the runtime would make flags, and the flat product again.
  const turned = transpose(recorder, reshape(recorder, standing, [1, nColumns, nRows]), [0, 2, 1]);
  return reshape(recorder, turned, [nRows, nColumns]);
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
