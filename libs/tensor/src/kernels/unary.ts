import { float } from "../capture/recording.ts";
import { cast, type Kernel, type KernelTable, like } from "./kernel.ts";

/** tfjs kernels that are one ONNX operator over `x`. */
const DIRECT: Readonly<Record<string, string>> = {
  ...{ Abs: "Abs", Acos: "Acos", Acosh: "Acosh", Asin: "Asin", Asinh: "Asinh", Atan: "Atan", Atanh: "Atanh" },
  ...{ Cos: "Cos", Cosh: "Cosh", Sin: "Sin", Sinh: "Sinh", Tan: "Tan", Tanh: "Tanh" },
  ...{ Erf: "Erf", Exp: "Exp", Log: "Log", Neg: "Neg", Reciprocal: "Reciprocal", Sqrt: "Sqrt", Sign: "Sign" },
  ...{ Elu: "Elu", Relu: "Relu", Selu: "Selu", Sigmoid: "Sigmoid", Softplus: "Softplus" },
};

/** Kernels that ONNX defines on floats only and that leave integers as they are. */
const ROUNDING: Readonly<Record<string, string>> = { Ceil: "Ceil", Floor: "Floor", Round: "Round" };

const direct =
  (op: string): Kernel =>
  ({ recorder, input }) =>
    like(recorder, op, [input("x")]);
const onFloats =
  (op: string): Kernel =>
  ({ recorder, input }) =>
    input("x").dtype === "f32" ? like(recorder, op, [input("x")]) : input("x");

const mapValues = (table: Readonly<Record<string, string>>, toKernel: (op: string) => Kernel): KernelTable =>
  Object.fromEntries(Object.entries(table).map(([name, op]) => [name, toKernel(op)]));

/** Elementwise kernels of one input. */
export const unaryKernels: KernelTable = {
  ...mapValues(DIRECT, direct),
  ...mapValues(ROUNDING, onFloats),

  Square: ({ recorder, input }) => like(recorder, "Mul", [input("x"), input("x")]),

  Rsqrt: ({ recorder, input }) => like(recorder, "Reciprocal", [like(recorder, "Sqrt", [input("x")])]),

  /** x·log(u)/(u-1) with u = 1+x is exact to rounding where log(1+x) loses all digits (Kahan). */
  Log1p({ recorder, input }) {
    const x = input("x");
    const one = recorder.scalar(1);
    const u = like(recorder, "Add", [x, one]);
    const isTiny = recorder.emit("Equal", [u, one], { dtype: "bool", shape: x.shape });
    const quotient = like(recorder, "Div", [like(recorder, "Log", [u]), like(recorder, "Sub", [u, one])]);
    return recorder.emit("Where", [isTiny, x, like(recorder, "Mul", [x, quotient])], x);
  },

  /**
   * 2·exp(x/2)·sinh(x/2): exact to rounding near zero, where exp(x) - 1 loses all digits. From x = -30 down the result
   * rounds to -1; stopping there keeps sinh finite.
   */
  Expm1({ recorder, input }) {
    const half = like(recorder, "Mul", [input("x"), recorder.scalar(0.5)]);
    const bounded = like(recorder, "Max", [half, recorder.scalar(-15)]);
    const product = like(recorder, "Mul", [like(recorder, "Exp", [bounded]), like(recorder, "Sinh", [bounded])]);
    return like(recorder, "Mul", [product, recorder.scalar(2)]);
  },

  Relu6: ({ recorder, input }) => like(recorder, "Clip", [input("x"), recorder.scalar(0), recorder.scalar(6)]),

  ClipByValue({ recorder, input, attrs }) {
    const { clipValueMin, clipValueMax } = attrs as { clipValueMin: number; clipValueMax: number };
    const dtype = input("x").dtype === "i32" ? "i32" : "f32";
    return like(recorder, "Clip", [
      input("x"),
      recorder.scalar(clipValueMin, dtype),
      recorder.scalar(clipValueMax, dtype),
    ]);
  },

  LeakyRelu: ({ recorder, input, attrs }) =>
    like(recorder, "LeakyRelu", [input("x")], { alpha: float((attrs as { alpha: number }).alpha) }),

  /** 1 above zero, else `alpha`. */
  Step({ recorder, input, attrs }) {
    const x = input("x");
    const { alpha } = attrs as { alpha: number };
    const isPositive = recorder.emit("Greater", [x, recorder.scalar(0, x.dtype === "i32" ? "i32" : "f32")], {
      dtype: "bool",
      shape: x.shape,
    });
    if (alpha === 0) return cast(recorder, isPositive, "f32");
    return recorder.emit("Where", [isPositive, recorder.scalar(1), recorder.scalar(alpha)], {
      dtype: "f32",
      shape: x.shape,
    });
  },

  LogicalNot: ({ recorder, input }) => like(recorder, "Not", [input("x")]),
  IsNan: ({ recorder, input }) => recorder.emit("IsNaN", [input("x")], { dtype: "bool", shape: input("x").shape }),
  IsInf: ({ recorder, input }) => recorder.emit("IsInf", [input("x")], { dtype: "bool", shape: input("x").shape }),

  IsFinite({ recorder, input }) {
    const { shape } = input("x");
    const isNan = recorder.emit("IsNaN", [input("x")], { dtype: "bool", shape });
    const isInf = recorder.emit("IsInf", [input("x")], { dtype: "bool", shape });
    return like(recorder, "Not", [like(recorder, "Or", [isNan, isInf])]);
  },

  /** The gradient of Elu from its output: dy above zero, dy·(y + 1) below. */
  EluGrad({ recorder, input }) {
    const [dy, y] = [input("dy"), input("y")];
    const below = like(recorder, "Clip", [y, undefined, recorder.scalar(0)]);
    return like(recorder, "Mul", [dy, like(recorder, "Add", [below, recorder.scalar(1)])]);
  },

  Identity: ({ input }) => input("x"),
};
