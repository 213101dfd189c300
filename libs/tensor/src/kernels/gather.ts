import { DomainError } from "@parfocal/errors";
import type { Recorder } from "../capture/recorder.ts";
import { dims, int, type RecordedValue, text } from "../capture/recording.ts";
import { cast, fill, type KernelTable, reshape } from "./kernel.ts";

/**
 * `data` [M, ...] with rows of `updates` [n, ...] added at rows `indices` [n]. Written with ScatterElements, which onnxruntime
 * runs in order: its ScatterND adds from several threads at once and loses rows that meet at one place.
 */
function emitScatterAdd(
  recorder: Recorder,
  data: RecordedValue,
  indices: RecordedValue,
  updates: RecordedValue,
): RecordedValue {
  const column = reshape(recorder, indices, [...indices.shape, ...updates.shape.slice(1).map(() => 1)]);
  const everywhere = recorder.emit("Expand", [column, dims(updates.shape)], { dtype: "i32", shape: updates.shape });
  const attributes = { axis: int(0), reduction: text("add") };
  return recorder.emit("ScatterElements", [data, everywhere, updates], data, { attributes });
}

/** Positions [n, depth] in the leading axes of `shape` as row numbers [n] of those axes flattened. */
function flatRows(recorder: Recorder, positions: RecordedValue, shape: readonly number[]): RecordedValue {
  const [nRows = 0, depth = 1] = positions.shape;
  const strides = shape.slice(0, depth).map((_, i) => sizeOfShape(shape.slice(i + 1, depth)));
  const weights = recorder.constant(Int32Array.from(strides), { dtype: "i32", shape: [depth] });
  const weighted = recorder.emit("Mul", [positions, weights], positions);
  return recorder.emit(
    "ReduceSum",
    [weighted, dims([1])],
    { dtype: "i32", shape: [nRows] },
    { attributes: { keepdims: int(0) } },
  );
}

function sizeOfShape(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function numericType(dtype: RecordedValue["dtype"]): "f32" | "i32" {
  return dtype === "i32" ? "i32" : "f32";
}

/** Kernels that move elements to computed places. */
export const gatherKernels: KernelTable = {
  GatherV2({ recorder, input, attrs }) {
    const [x, indices] = [input("x"), input("indices")];
    const { axis, batchDims } = attrs as { axis: number; batchDims: number };
    if (batchDims !== 0)
      throw new DomainError("UNSUPPORTED_OPERATION", `GatherV2 with batchDims ${batchDims} cannot be captured, only 0`);
    const along = axis < 0 ? axis + x.shape.length : axis;
    const shape = [...x.shape.slice(0, along), ...indices.shape, ...x.shape.slice(along + 1)];
    return recorder.emit("Gather", [x, indices], { dtype: x.dtype, shape }, { attributes: { axis: int(along) } });
  },

  GatherNd({ recorder, input }) {
    const [x, indices] = [input("params"), input("indices")];
    const shape = [...indices.shape.slice(0, -1), ...x.shape.slice(indices.shape.at(-1)!)];
    return recorder.emit("GatherND", [x, cast(recorder, indices, "i64")], { dtype: x.dtype, shape });
  },

  ScatterNd({ recorder, input, attrs }) {
    const [positions, updates] = [input("indices"), input("updates")];
    const { shape } = attrs as { shape: number[] };
    const depth = positions.shape.at(-1)!;
    const [nRows, inner] = [sizeOfShape(positions.shape.slice(0, -1)), shape.slice(depth)];
    const rows = flatRows(recorder, reshape(recorder, positions, [nRows, depth]), shape);
    const zeros = fill(recorder, 0, numericType(updates.dtype), [sizeOfShape(shape.slice(0, depth)), ...inner]);
    return reshape(
      recorder,
      emitScatterAdd(recorder, zeros, rows, reshape(recorder, updates, [nRows, ...inner])),
      shape,
    );
  },

  TensorScatterUpdate({ recorder, input }) {
    const [data, positions] = [input("tensor"), cast(recorder, input("indices"), "i64")];
    return recorder.emit("ScatterND", [data, positions, input("updates")], data);
  },

  /** Sums the rows of `x` that share a segment. Segments must be 0 to numSegments - 1. */
  UnsortedSegmentSum({ recorder, input, attrs }) {
    const [x, segments] = [input("x"), input("segmentIds")];
    const zeros = fill(recorder, 0, numericType(x.dtype), [
      (attrs as { numSegments: number }).numSegments,
      ...x.shape.slice(1),
    ]);
    return emitScatterAdd(recorder, zeros, segments, x);
  },

  /** `onValue` where the class equals the index, `offValue` elsewhere; an index outside gives a row of `offValue`. */
  OneHot({ recorder, input, attrs }) {
    const indices = input("indices");
    const { depth, onValue, offValue } = attrs as { depth: number; onValue: number; offValue: number };
    const classes = recorder.constant(
      Int32Array.from({ length: depth }, (_, i) => i),
      { dtype: "i32", shape: [depth] },
    );
    const shape = [...indices.shape, depth];
    const column = reshape(recorder, indices, [...indices.shape, 1]);
    const isHot = recorder.emit("Equal", [column, classes], { dtype: "bool", shape });
    const dtype = (attrs as { dtype?: string }).dtype === "float32" ? "f32" : "i32";
    if (onValue === 1 && offValue === 0) return cast(recorder, isHot, dtype);
    return recorder.emit("Where", [isHot, recorder.scalar(onValue, dtype), recorder.scalar(offValue, dtype)], {
      dtype,
      shape,
    });
  },
};

/** Kernels that make tensors from numbers. */
export const creationKernels: KernelTable = {
  Cast({ recorder, input, attrs }) {
    const { dtype } = attrs as { dtype: string };
    return cast(recorder, input("x"), dtype === "float32" ? "f32" : dtype === "bool" ? "bool" : "i32");
  },

  Fill({ recorder, attrs }) {
    const { shape, value, dtype } = attrs as { shape: number[]; value: number; dtype: string };
    return fill(recorder, value, dtype === "int32" ? "i32" : dtype === "bool" ? "bool" : "f32", shape);
  },

  ZerosLike: ({ recorder, input }) => filledLike(recorder, input("x"), 0),
  OnesLike: ({ recorder, input }) => filledLike(recorder, input("x"), 1),

  /** Counts in integers inside the graph, so that the end may be a symbolic size. */
  Range({ recorder, attrs }) {
    const { start, stop, step, dtype } = attrs as { start: number; stop: number; step: number; dtype: string };
    const length = Math.max(0, Math.ceil((stop - start) / step));
    if (start !== 0 || step !== 1)
      throw new DomainError(
        "UNSUPPORTED_OPERATION",
        `Range from ${start} by ${step}; captured ranges start at 0 with step 1`,
      );
    const end = recorder.emit("Reshape", [dims([length]), dims([])], { dtype: "i64", shape: [] });
    const [zero, one] = [0n, 1n].map((value) =>
      recorder.constant(BigInt64Array.of(value), { dtype: "i64", shape: [] }),
    );
    const counted = recorder.emit("Range", [zero, end, one], { dtype: "i64", shape: [length] });
    return cast(recorder, counted, dtype === "float32" ? "f32" : "i32");
  },
};

function filledLike(recorder: Recorder, x: RecordedValue, value: number): RecordedValue {
  return fill(recorder, value, x.dtype === "bool" ? "bool" : numericType(x.dtype), x.shape);
}
