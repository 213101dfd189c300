import type { TensorInfo } from "@tensorflow/tfjs";
import { infoOf, type Recorder } from "../capture/recorder.ts";
import type { Attributes, RecordedOperand, RecordedValue } from "../capture/recording.ts";

/** One call of a tfjs kernel during a capture. */
export interface KernelCall {
  readonly recorder: Recorder;
  /** The value of an input by the name tfjs gives it. */
  input(name: string): RecordedValue;
  /** All inputs in order, for kernels that take a list. */
  readonly list: readonly RecordedValue[];
  readonly attrs: unknown;
}

/** Emits the nodes of a kernel and gives its outputs as values; several for kernels that have several. */
export type Kernel = (call: KernelCall) => RecordedValue | RecordedValue[];

/** Kernels by their tfjs name. */
export type KernelTable = Readonly<Record<string, Kernel>>;

/** Tensor infos of what a kernel gave. */
export function infosOf(result: RecordedValue | RecordedValue[]): TensorInfo | TensorInfo[] {
  return Array.isArray(result) ? result.map(infoOf) : infoOf(result);
}

/** Emits a node whose output has the type of its first operand. */
export function like(
  recorder: Recorder,
  op: string,
  operands: readonly [RecordedValue, ...RecordedOperand[]],
  attributes: Attributes = {},
): RecordedValue {
  const [{ dtype, shape }] = operands;
  return recorder.emit(op, operands, { dtype, shape }, { attributes });
}

/** A value as another type; itself when it has it. */
export function cast(recorder: Recorder, x: RecordedValue, dtype: RecordedValue["dtype"]): RecordedValue {
  return x.dtype === dtype ? x : recorder.emit("Cast", [x], { dtype, shape: x.shape });
}

/** A value with another shape of equal size; itself when it has it. */
export function reshape(recorder: Recorder, x: RecordedValue, shape: readonly number[]): RecordedValue {
  const isSame = x.shape.length === shape.length && x.shape.every((size, i) => size === shape[i]);
  return isSame ? x : recorder.emit("Reshape", [x, { dims: shape }], { dtype: x.dtype, shape });
}

/** A value with its axes in another order; itself when the order is the same. */
export function transpose(recorder: Recorder, x: RecordedValue, perm: readonly number[]): RecordedValue {
  if (perm.every((axis, i) => axis === i)) return x;
  const shape = perm.map((axis) => x.shape[axis] ?? 1);
  return recorder.emit(
    "Transpose",
    [x],
    { dtype: x.dtype, shape },
    { attributes: { perm: { kind: "ints", value: perm } } },
  );
}

/** A tensor of one value; the size of its dimensions may be symbolic. */
export function fill(
  recorder: Recorder,
  value: number,
  dtype: "f32" | "i32" | "bool",
  shape: readonly number[],
): RecordedValue {
  const scalar =
    dtype === "bool" ? recorder.constant(Uint8Array.of(value), { dtype, shape: [] }) : recorder.scalar(value, dtype);
  return shape.length === 0 ? scalar : recorder.emit("Expand", [scalar, { dims: shape }], { dtype, shape });
}
