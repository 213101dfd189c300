import type { Tensor1D } from "@tensorflow/tfjs";
import { activeRecorder } from "../capture/recorder.ts";
import { cast } from "../kernels/kernel.ts";
import { tf } from "../tf.ts";
import { emitted } from "./define-operation.ts";
import { countVector, createGraphMath, eachSize, type IntegerFormula, numberMath, sizeVector } from "./integer-math.ts";

/**
 * The i32 vector [`length`] whose element i is `formula(i, ...from)`, in whole-number arithmetic. A captured graph computes it
 * anew for the sizes of each run. No gradient.
 */
export function indexVector<const From extends readonly number[]>(
  length: number,
  from: From,
  formula: IntegerFormula<readonly [number, ...From]>,
): Tensor1D {
  const recorder = activeRecorder();
  if (recorder === undefined) {
    return tf.tensor1d(
      Int32Array.from({ length }, (_, i) => formula(numberMath, [i, ...eachSize(from, (size) => size)])),
      "int32",
    );
  }
  return recorder.as("indexVector", () => {
    const sizes = eachSize(from, (size) => sizeVector(recorder, size));
    const value = formula(createGraphMath(recorder), [countVector(recorder, length), ...sizes]);
    return emitted(cast(recorder, value, "i32")) as Tensor1D;
  });
}
