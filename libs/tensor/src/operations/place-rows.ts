import type { Tensor, Tensor1D } from "@tensorflow/tfjs";
import { int } from "../capture/recording.ts";
import { cast, like, reshape } from "../kernels/kernel.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";
import { sizeVector } from "./integer-math.ts";

// Legend: R rows, Q places, C features.

const placed = defineOperation<readonly [Tensor, Tensor, Tensor], undefined>({
  name: "placeRows",
  emit(recorder, [x, source]) {
    const [nRows = 0, width = 0] = x.shape;
    const nPlaces = source.shape[0] ?? 0;
    const count = cast(recorder, sizeVector(recorder, nRows), "i32");
    const isRow = recorder.emit("Less", [source, count], { dtype: "bool", shape: [nPlaces] });
    // Row 0 stands at empty places and is taken out again: a row of zeros behind the others would be a copy of them all.
    const index = like(recorder, "Mul", [source, cast(recorder, isRow, "i32")]);
    const filled = cast(recorder, isRow, "f32");
    const type = { dtype: "f32" as const, shape: [nPlaces, width] };
    const rows = recorder.emit("Gather", [x, index], type, { attributes: { axis: int(0) } });
    return recorder.emit("Mul", [rows, reshape(recorder, filled, [nPlaces, 1])], type);
  },
  eager: ([x, source]) =>
    tf.gather(
      tf.pad(x, [
        [0, 1],
        [0, 0],
      ]),
      source as Tensor1D,
    ),
  gradient: (dy, { inputs: [, source, place] }): Tensor[] => [
    takeRows(dy, { source, place }),
    tf.zerosLike(source),
    tf.zerosLike(place),
  ],
});

const taken = defineOperation<readonly [Tensor, Tensor, Tensor], undefined>({
  name: "takeRows",
  emit(recorder, [x, , place]) {
    const type = { dtype: "f32" as const, shape: [place.shape[0] ?? 0, x.shape[1] ?? 0] };
    return recorder.emit("Gather", [x, place], type, { attributes: { axis: int(0) } });
  },
  eager: ([x, , place]) => tf.gather(x, place as Tensor1D),
  gradient: (dy, { inputs: [, source, place] }): Tensor[] => [
    placeRows(dy, { source, place }),
    tf.zerosLike(source),
    tf.zerosLike(place),
  ],
});

/** Where R rows lie among Q places, Q at least R. Both vectors say the same, each from its side. */
export interface Placement {
  /** `[Q]` i32: the row at each place, R where the place is empty. */
  readonly source: Tensor;
  /** `[R]` i32: the place of each row. Places are distinct. */
  readonly place: Tensor;
}

/** Rows `x` [R, C] at their places, [Q, C], zeros at empty ones. Its gradient is {@link takeRows}: no scattered sum. */
export function placeRows(x: Tensor, { source, place }: Placement): Tensor {
  return placed([x, source, place], undefined);
}

/** The rows of `x` [Q, C] back in their order, [R, C]; what lies at empty places is dropped. The inverse of {@link placeRows}. */
export function takeRows(x: Tensor, { source, place }: Placement): Tensor {
  return taken([x, source, place], undefined);
}
