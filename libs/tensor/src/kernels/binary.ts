import type { Recorder } from "../capture/recorder.ts";
import type { RecordedValue } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { type Kernel, type KernelTable, like } from "./kernel.ts";

/** tfjs kernels that are one broadcasting ONNX operator over `a` and `b`. */
const ARITHMETIC: Readonly<Record<string, string>> = {
  ...{ Add: "Add", Sub: "Sub", Multiply: "Mul", RealDiv: "Div", Pow: "Pow", Maximum: "Max", Minimum: "Min" },
};

const COMPARISONS: Readonly<Record<string, string>> = {
  ...{ Equal: "Equal", Greater: "Greater", GreaterEqual: "GreaterOrEqual", Less: "Less", LessEqual: "LessOrEqual" },
  ...{ LogicalAnd: "And", LogicalOr: "Or" },
};

/** Emits a broadcasting operator over two values; its type is that of `a` unless given. */
export function emitBinary(
  recorder: Recorder,
  op: string,
  a: RecordedValue,
  b: RecordedValue,
  dtype = a.dtype,
): RecordedValue {
  const shape = tf.broadcast_util.assertAndGetBroadcastShape([...a.shape], [...b.shape]);
  return recorder.emit(op, [a, b], { dtype, shape });
}

const arithmetic =
  (op: string): Kernel =>
  ({ recorder, input }) =>
    emitBinary(recorder, op, input("a"), input("b"));
const comparison =
  (op: string): Kernel =>
  ({ recorder, input }) =>
    emitBinary(recorder, op, input("a"), input("b"), "bool");

const mapValues = (table: Readonly<Record<string, string>>, toKernel: (op: string) => Kernel): KernelTable =>
  Object.fromEntries(Object.entries(table).map(([name, op]) => [name, toKernel(op)]));

/** ⌊a/b⌋ of floats. */
function floorQuotient(recorder: Recorder, a: RecordedValue, b: RecordedValue): RecordedValue {
  return like(recorder, "Floor", [emitBinary(recorder, "Div", a, b)]);
}

/** Elementwise kernels of two inputs. */
export const binaryKernels: KernelTable = {
  ...mapValues(ARITHMETIC, arithmetic),
  ...mapValues(COMPARISONS, comparison),

  Prelu: ({ recorder, input }) => emitBinary(recorder, "PRelu", input("x"), input("alpha")),

  NotEqual: ({ recorder, input }) =>
    like(recorder, "Not", [emitBinary(recorder, "Equal", input("a"), input("b"), "bool")]),

  SquaredDifference({ recorder, input }) {
    const difference = emitBinary(recorder, "Sub", input("a"), input("b"));
    return like(recorder, "Mul", [difference, difference]);
  },

  /** ONNX divides integers towards zero; with the remainder of the divisor's sign taken off, the division is exact. */
  FloorDiv({ recorder, input }) {
    const [a, b] = [input("a"), input("b")];
    if (a.dtype === "f32") return floorQuotient(recorder, a, b);
    const remainder = emitBinary(recorder, "Mod", a, b);
    return emitBinary(recorder, "Div", emitBinary(recorder, "Sub", a, remainder), b);
  },

  /** The remainder with the sign of the divisor. */
  Mod({ recorder, input }) {
    const [a, b] = [input("a"), input("b")];
    if (a.dtype === "i32") return emitBinary(recorder, "Mod", a, b);
    return emitBinary(recorder, "Sub", a, emitBinary(recorder, "Mul", floorQuotient(recorder, a, b), b));
  },

  AddN: ({ recorder, list }) => list.slice(1).reduce((sum, x) => emitBinary(recorder, "Add", sum, x), at(list, 0)),

  /** tfjs broadcasts the three operands before the kernel; those expansions fall away again. */
  Select({ recorder, input }) {
    const [condition, t, e] = [input("condition"), input("t"), input("e")];
    if (t.dtype !== "bool") return recorder.emit("Where", [condition, t, e], t);
    const whenTrue = like(recorder, "And", [condition, t]);
    return like(recorder, "Or", [whenTrue, like(recorder, "And", [like(recorder, "Not", [condition]), e])]);
  },
};

function at(list: readonly RecordedValue[], index: number): RecordedValue {
  return list[index]!;
}
