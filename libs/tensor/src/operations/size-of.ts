import type { Scalar, Tensor } from "@tensorflow/tfjs";
import { activeRecorder } from "../capture/recorder.ts";
import { dims } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { emitted } from "./define-operation.ts";

/**
 * The number of elements of `x` along `axis` as an f32 scalar `[]`. In a captured graph a symbolic size is read off the
 * run's shapes, where the number `x.shape[axis]` would be a constant of one size and is refused. No gradient.
 */
export function sizeOf(x: Tensor, axis: number): Scalar {
  const size = x.shape.at(axis) ?? 1;
  const recorder = activeRecorder();
  if (recorder === undefined) return tf.scalar(size);
  return recorder.as("sizeOf", () => {
    const vector = recorder.emit("Cast", [dims([size])], { dtype: "f32", shape: [1] });
    return emitted(recorder.emit("Reshape", [vector, dims([])], { dtype: "f32", shape: [] })) as Scalar;
  });
}
