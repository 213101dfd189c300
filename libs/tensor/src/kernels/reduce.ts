import { dims, int, type RecordedValue } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { cast, fill, type Kernel, type KernelCall, type KernelTable, reshape } from "./kernel.ts";
import { emitGemm } from "./matmul.ts";

/** How tfjs says what to reduce; kernels differ in the name. */
interface ReduceAttrs {
  readonly axis?: number | number[];
  readonly reductionIndices?: number | number[];
  readonly keepDims?: boolean;
}

function reduce({ recorder, attrs }: KernelCall, op: string, x: RecordedValue): RecordedValue {
  const { axis, reductionIndices, keepDims = false } = attrs as ReduceAttrs;
  const axes = tf.util.parseAxisParam((axis ?? reductionIndices) as number[], [...x.shape]);
  if (axes.length === 0) return x;
  const shape = x.shape.flatMap((size, i) => (axes.includes(i) ? (keepDims ? [1] : []) : [size]));
  return recorder.emit(
    op,
    [x, dims(axes)],
    { dtype: x.dtype, shape },
    { attributes: { keepdims: int(keepDims ? 1 : 0) } },
  );
}

const numbers =
  (op: string): Kernel =>
  (call) =>
    reduce(call, op, call.input("x"));

/** From this many rows on a product with ones adds columns up in a third of the time of the runtime's sum over rows. A symbolic number counts as many. */
const MANY_ROWS = 256;

/** Sums; those of a matrix's columns, as of every bias's gradient, as a product. */
const sum: Kernel = (call) => {
  const { recorder, attrs } = call;
  const x = call.input("x");
  const { axis, reductionIndices, keepDims = false } = attrs as ReduceAttrs;
  const axes = tf.util.parseAxisParam((axis ?? reductionIndices) as number[], [...x.shape]);
  const [nRows = 0, nColumns = 0] = x.shape;
  const isOfColumns = x.dtype === "f32" && x.shape.length === 2 && axes.length === 1 && axes[0] === 0;
  if (!isOfColumns || nRows < MANY_ROWS || nColumns === 1) return reduce(call, "ReduceSum", x);
  const ones = { value: fill(recorder, 1, "f32", [1, nRows]), isTransposed: false };
  const sums = emitGemm(recorder, ones, { value: x, isTransposed: false }); // [1, C]
  return keepDims ? sums : reshape(recorder, sums, [nColumns]);
};

/** ONNX reduces no booleans: as integers, the smallest says "all" and the largest "any". */
const booleans =
  (op: string): Kernel =>
  (call) => {
    const x = cast(call.recorder, call.input("x"), "i32");
    return cast(call.recorder, reduce(call, op, x), "bool");
  };

/** The first index of the extreme along one axis. */
const extreme =
  (op: string): Kernel =>
  ({ recorder, input, attrs }) => {
    const x = input("x");
    const [axis = 0] = tf.util.parseAxisParam((attrs as ReduceAttrs).axis as number, [...x.shape]);
    const shape = x.shape.filter((_, i) => i !== axis);
    const attributes = { axis: int(axis), keepdims: int(0) };
    return cast(recorder, recorder.emit(op, [x], { dtype: "i64", shape }, { attributes }), "i32");
  };

const cumulative: Kernel = ({ recorder, input, attrs }) => {
  const x = input("x");
  const { axis, exclusive, reverse } = attrs as { axis: number; exclusive: boolean; reverse: boolean };
  const [along = 0] = tf.util.parseAxisParam(axis, [...x.shape]);
  const attributes = { exclusive: int(exclusive ? 1 : 0), reverse: int(reverse ? 1 : 0) };
  return recorder.emit("CumSum", [x, recorder.scalar(along, "i32")], x, { attributes });
};

/** Kernels that reduce or scan along axes. */
export const reduceKernels: KernelTable = {
  Sum: sum,
  Mean: numbers("ReduceMean"),
  Max: numbers("ReduceMax"),
  Min: numbers("ReduceMin"),
  Prod: numbers("ReduceProd"),
  All: booleans("ReduceMin"),
  Any: booleans("ReduceMax"),
  ArgMax: extreme("ArgMax"),
  ArgMin: extreme("ArgMin"),
  Cumsum: cumulative,

  Softmax: (call) => alongAxis(call, "Softmax", (call.attrs as { dim: number }).dim),
  LogSoftmax: (call) => alongAxis(call, "LogSoftmax", (call.attrs as { axis: number }).axis),

  /** The k largest along the last axis, sorted; of equal values the lower index comes first, as in tfjs. */
  TopK({ recorder, input, attrs }) {
    const x = input("x");
    const { k, sorted } = attrs as { k: number; sorted: boolean };
    const shape = [...x.shape.slice(0, -1), k];
    const attributes = { axis: int(-1), largest: int(1), sorted: int(sorted ? 1 : 0) };
    const types = [
      { dtype: x.dtype, shape },
      { dtype: "i64" as const, shape },
    ];
    const [values, indices] = recorder.emitMany("TopK", [x, dims([k])], types, { attributes });
    return [values!, cast(recorder, indices!, "i32")];
  },
};

function alongAxis({ recorder, input }: KernelCall, op: string, axis: number): RecordedValue {
  const x = input("logits");
  return recorder.emit(op, [x], x, { attributes: { axis: int(axis < 0 ? axis + x.shape.length : axis) } });
}
