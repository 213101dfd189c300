import { DomainError } from "@parfocal/errors";
import type { Recorder } from "../capture/recorder.ts";
import { dims, int, type RecordedValue, text } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { type KernelTable, reshape, transpose } from "./kernel.ts";

/** Past the end of any axis: what ONNX takes for "to the end", so that no size needs to be known. */
const TO_THE_END = 2 ** 31 - 1;
const TO_THE_START = -(2 ** 31 - 1);

/** A part of a value. Only axes that are cut appear, so that whole symbolic axes need no arithmetic. */
export function emitSlice(
  recorder: Recorder,
  x: RecordedValue,
  begin: readonly number[],
  size: readonly number[],
): RecordedValue {
  const axes = x.shape.flatMap((length, i) => (begin[i] === 0 && size[i] === length ? [] : [i]));
  if (axes.length === 0) return x;
  const starts = axes.map((i) => begin[i]!);
  const ends = axes.map((i) => (begin[i]! + size[i]! === x.shape[i] ? TO_THE_END : begin[i]! + size[i]!));
  return recorder.emit("Slice", [x, dims(starts), dims(ends), dims(axes)], { dtype: x.dtype, shape: size });
}

function pad(
  recorder: Recorder,
  x: RecordedValue,
  paddings: readonly (readonly number[])[],
  mode: string,
  value?: RecordedValue,
): RecordedValue {
  const before = paddings.map(([count = 0]) => count);
  const after = paddings.map(([, count = 0]) => count);
  const shape = x.shape.map((length, i) => length + before[i]! + after[i]!);
  const operands = value === undefined ? [x, dims([...before, ...after])] : [x, dims([...before, ...after]), value];
  return recorder.emit("Pad", operands, { dtype: x.dtype, shape }, { attributes: { mode: text(mode) } });
}

function emitSplit(recorder: Recorder, x: RecordedValue, sizes: readonly number[], axis: number): RecordedValue[] {
  const types = sizes.map((size) => ({ dtype: x.dtype, shape: x.shape.with(axis, size) }));
  return recorder.emitMany("Split", [x, dims(sizes)], types, { attributes: { axis: int(axis) } });
}

function concat(recorder: Recorder, values: readonly RecordedValue[], axis: number): RecordedValue {
  const [first] = values;
  if (first === undefined) throw new DomainError("INVALID_ARGUMENT", "concat needs at least one tensor, got 0");
  const total = values.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  return recorder.emit(
    "Concat",
    values,
    { dtype: first.dtype, shape: first.shape.with(axis, total) },
    { attributes: { axis: int(axis) } },
  );
}

function axisOf(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** Kernels that move elements without computing. */
export const shapeKernels: KernelTable = {
  Reshape({ recorder, input, attrs }) {
    const x = input("x");
    const size = x.shape.reduce((product, dim) => product * dim, 1);
    return reshape(recorder, x, tf.util.inferFromImplicitShape((attrs as { shape: number[] }).shape, size));
  },

  ExpandDims({ recorder, input, attrs }) {
    const x = input("input");
    const { dim } = attrs as { dim: number };
    return reshape(recorder, x, x.shape.toSpliced(axisOf(dim, x.shape.length + 1), 0, 1));
  },

  Transpose: ({ recorder, input, attrs }) => transpose(recorder, input("x"), (attrs as { perm: number[] }).perm),

  Concat({ recorder, list, attrs }) {
    return concat(recorder, list, axisOf((attrs as { axis: number }).axis, list[0]?.shape.length ?? 0));
  },

  Pack({ recorder, list, attrs }) {
    const axis = axisOf((attrs as { axis: number }).axis, (list[0]?.shape.length ?? 0) + 1);
    return concat(
      recorder,
      list.map((x) => reshape(recorder, x, x.shape.toSpliced(axis, 0, 1))),
      axis,
    );
  },

  Unpack({ recorder, input, attrs }) {
    const x = input("value");
    const axis = axisOf((attrs as { axis: number }).axis, x.shape.length);
    const sizes = new Array<number>(x.shape[axis]!).fill(1);
    return emitSplit(recorder, x, sizes, axis).map((part) => reshape(recorder, part, x.shape.toSpliced(axis, 1)));
  },

  SplitV({ recorder, input, attrs }) {
    const x = input("x");
    const { numOrSizeSplits, axis } = attrs as { numOrSizeSplits: number | number[]; axis: number };
    const along = axisOf(axis, x.shape.length);
    return emitSplit(
      recorder,
      x,
      tf.backend_util.prepareSplitSize({ shape: [...x.shape] } as never, numOrSizeSplits, along),
      along,
    );
  },

  Slice({ recorder, input, attrs }) {
    const x = input("x");
    const { begin, size } = attrs as { begin: number | number[]; size: number | number[] };
    const [starts, sizes] = tf.slice_util.parseSliceParams({ shape: [...x.shape] } as never, begin, size);
    return emitSlice(recorder, x, starts!, sizes!);
  },

  StridedSlice({ recorder, input, attrs }) {
    const x = input("x");
    const { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } =
      attrs as tf.StridedSliceAttrs;
    const info = tf.slice_util.sliceInfo(
      [...x.shape],
      begin,
      end,
      strides,
      beginMask,
      endMask,
      ellipsisMask,
      newAxisMask,
      shrinkAxisMask,
    );
    const backwards = info.strides.map((stride, i) => (stride < 0 && info.end[i]! < 0 ? TO_THE_START : info.end[i]!));
    const all = x.shape.map((_, i) => i);
    const operands = [x, dims(info.begin), dims(backwards), dims(all), dims(info.strides)];
    const sliced = recorder.emit("Slice", operands, { dtype: x.dtype, shape: info.finalShapeSparse });
    return reshape(recorder, sliced, info.finalShape);
  },

  Reverse({ recorder, input, attrs }) {
    const x = input("x");
    const axes = tf.util.parseAxisParam((attrs as { dims: number | number[] }).dims, [...x.shape]);
    const repeat = (value: number) => dims(axes.map(() => value));
    return recorder.emit("Slice", [x, repeat(-1), repeat(TO_THE_START), dims(axes), repeat(-1)], x);
  },

  PadV2({ recorder, input, attrs }) {
    const x = input("x");
    const { paddings, constantValue } = attrs as { paddings: number[][]; constantValue: number };
    return pad(
      recorder,
      x,
      paddings,
      "constant",
      x.dtype === "bool" ? undefined : recorder.scalar(constantValue, x.dtype === "i32" ? "i32" : "f32"),
    );
  },

  MirrorPad({ recorder, input, attrs }) {
    const { paddings, mode } = attrs as { paddings: number[][]; mode: "reflect" | "symmetric" };
    if (mode !== "reflect")
      throw new DomainError("UNSUPPORTED_OPERATION", `MirrorPad in mode ${mode} has no ONNX form, only reflect`);
    return pad(recorder, input("x"), paddings, "reflect");
  },

  /** Repeats along axes of size 1 only are an Expand, which elementwise readers do without. */
  Tile({ recorder, input, attrs }) {
    const x = input("x");
    const { reps } = attrs as { reps: number[] };
    const shape = x.shape.map((size, i) => size * reps[i]!);
    const isExpansion = x.shape.every((size, i) => size === 1 || reps[i] === 1);
    return isExpansion
      ? recorder.emit("Expand", [x, dims(shape)], { dtype: x.dtype, shape })
      : recorder.emit("Tile", [x, dims(reps)], { dtype: x.dtype, shape });
  },
};
