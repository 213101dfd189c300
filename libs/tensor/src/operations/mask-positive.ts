import type { Tensor } from "@tensorflow/tfjs";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

const mask = defineOperation<readonly [Tensor, Tensor], undefined>({
  name: "maskPositive",
  emit(recorder, [x, gate]) {
    const bool = recorder.emit("Greater", [gate, recorder.scalar(0)], { dtype: "bool", shape: gate.shape });
    const ones = recorder.emit("Cast", [bool], { dtype: "f32", shape: gate.shape });
    return recorder.emit("Mul", [x, ones], { dtype: "f32", shape: x.shape });
  },
  eager: ([x, gate]) => tf.mul(x, tf.cast(tf.greater(gate, 0), "float32")),
  gradient: (dy, { inputs: [, gate] }): Tensor[] => [maskPositive(dy, gate), tf.zerosLike(gate)],
});

/** `x` where `gate` (same shape) is above 0, else 0. No gradient reaches `gate`. */
export function maskPositive(x: Tensor, gate: Tensor): Tensor {
  return mask([x, gate], undefined);
}
