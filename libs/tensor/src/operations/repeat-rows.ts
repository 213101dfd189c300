import type { Tensor, Tensor1D } from "@tensorflow/tfjs";
import { dims, int, text } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";
import { placeRows } from "./place-rows.ts";

// Legend: R rows, Q places, C features.

const repeated = defineOperation<readonly [Tensor, Tensor, Tensor, Tensor], undefined>({
  name: "repeatRows",
  emit(recorder, [x, source]) {
    const [nRows = 0, width = 0] = x.shape;
    const padded = recorder.emit(
      "Pad",
      [x, dims([0, 0, 1, 0])],
      { dtype: "f32", shape: [nRows + 1, width] },
      { attributes: { mode: text("constant") } },
    );
    const type = { dtype: "f32" as const, shape: [source.shape[0] ?? 0, width] };
    return recorder.emit("Gather", [padded, source], type, { attributes: { axis: int(0) } });
  },
  eager: ([x, source]) =>
    tf.gather(
      tf.pad(x, [
        [0, 1],
        [0, 0],
      ]),
      source as Tensor1D,
    ),
  gradient(dy, { inputs: [, source, place, again] }): Tensor[] {
    // Seen from the gradient, rows are places, filled from at most two of them.
    const first = placeRows(dy, { source: place, place: source });
    const second = placeRows(dy, { source: again, place: source });
    return [tf.add(first, second), tf.zerosLike(source), tf.zerosLike(place), tf.zerosLike(again)];
  },
});

/** Where R rows lie among Q places, each at one or two of them. All vectors say the same, each from its side. */
export interface Repetition {
  /** `[Q]` i32: the row at each place, R where the place is empty. */
  readonly source: Tensor;
  /** `[R]` i32: the first place of each row, Q where it has none. */
  readonly place: Tensor;
  /** `[R]` i32: the second place, Q where it has none. */
  readonly again: Tensor;
}

/** Rows `x` [R, C] at their places, [Q, C], zeros at empty ones. Its gradient is two gathers: no scattered sum. */
export function repeatRows(x: Tensor, { source, place, again }: Repetition): Tensor {
  return repeated([x, source, place, again], undefined);
}
