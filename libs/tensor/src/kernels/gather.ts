import { DomainError } from "@parfocal/errors";
import type { Recorder } from "../capture/recorder.ts";
import { dims, int, type RecordedValue, text } from "../capture/recording.ts";
import { cast, fill, type KernelTable, reshape } from "./kernel.ts";

/** `data` with `updates` put, or added, at `indices` [..., depth]. Rows that meet at one place add up when added. */
export function emitScatter(
  recorder: Recorder,
  data: RecordedValue,
  indices: RecordedValue,
  updates: RecordedValue,
  reduction: "add" | "none",
): RecordedValue {
  const positions = cast(recorder, indices, "i64");
  return recorder.emit("ScatterND", [data, positions, updates], data, { attributes: { reduction: text(reduction) } });
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
    const updates = input("updates");
    const zeros = fill(recorder, 0, numericType(updates.dtype), (attrs as { shape: number[] }).shape);
    return emitScatter(recorder, zeros, input("indices"), updates, "add");
  },

  TensorScatterUpdate: ({ recorder, input }) =>
    emitScatter(recorder, input("tensor"), input("indices"), input("updates"), "none"),

  /** Sums the rows of `x` that share a segment. Segments must be 0 to numSegments - 1. */
  UnsortedSegmentSum({ recorder, input, attrs }) {
    const [x, segments] = [input("x"), input("segmentIds")];
    const zeros = fill(recorder, 0, numericType(x.dtype), [
      (attrs as { numSegments: number }).numSegments,
      ...x.shape.slice(segments.shape.length),
    ]);
    return emitScatter(recorder, zeros, reshape(recorder, segments, [...segments.shape, 1]), x, "add");
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
