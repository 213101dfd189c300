import type { Tensor } from "@tensorflow/tfjs";
import { dims, int, type RecordedValue } from "../capture/recording.ts";
import { emitBinary } from "../kernels/binary.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

/** Moves elements that do not count out of the way of smallest and largest; far above any logit, far below overflow. */
const OUT_OF_THE_WAY = 1e9;

type Inputs = readonly [Tensor, Tensor, Tensor];

const scaled = defineOperation<Inputs, { readonly epsilon: number }>({
  name: "scaleToRange",
  emit(recorder, [x, low, high], { epsilon }) {
    const type = { dtype: "f32" as const, shape: x.shape.with(-1, 1) };
    const extreme = (op: string, of: RecordedValue) =>
      recorder.emit(op, [of, dims([-1])], type, { attributes: { keepdims: int(1) } });
    const least = extreme("ReduceMin", low);
    const range = emitBinary(recorder, "Sub", extreme("ReduceMax", high), least);
    const divisor = emitBinary(recorder, "Add", range, recorder.scalar(epsilon));
    return emitBinary(recorder, "Div", emitBinary(recorder, "Sub", x, least), divisor);
  },
  eager([x, low, high], { epsilon }) {
    const least = tf.min(low, -1, true);
    return tf.div(tf.sub(x, least), tf.add(tf.sub(tf.max(high, -1, true), least), epsilon));
  },
  gradient(dy, { inputs: [, low, high], output }, { epsilon }): Tensor[] {
    const [least, most] = [tf.min(low, -1, true), tf.max(high, -1, true)];
    const bySlope = tf.sum(tf.mul(dy, output), -1, true); // [..., 1]
    const byShift = tf.sub(tf.sum(dy, -1, true), bySlope); // [..., 1]
    const pulled = tf.add(tf.mul(shareOf(low, least), byShift), tf.mul(shareOf(high, most), bySlope)); // [..., P]
    const dx = tf.div(tf.sub(dy, pulled), tf.add(tf.sub(most, least), epsilon));
    return [dx, tf.zerosLike(low), tf.zerosLike(high)];
  },
});

/** 1 where `x` is the extreme, divided by how many elements are. */
function shareOf(x: Tensor, extreme: Tensor): Tensor {
  const isExtreme = tf.cast(tf.equal(x, extreme), "float32");
  return tf.div(isExtreme, tf.sum(isExtreme, -1, true));
}

/**
 * (x - min) / (max - min + `epsilon`) over the last axis of `x` [..., P] f32. `isEmpty` (1 or 0, broadcasts to `x`) marks elements
 * that count for neither extreme. The gradient flows through both extremes; equal elements share theirs evenly. An axis of one
 * element gives 0, and its gradient is exactly 0.
 */
export function scaleToRange(x: Tensor, epsilon: number, isEmpty?: Tensor): Tensor {
  if (isEmpty === undefined) return scaled([x, x, x], { epsilon });
  const offset = tf.mul(isEmpty, OUT_OF_THE_WAY);
  return scaled([x, tf.add(x, offset), tf.sub(x, offset)], { epsilon });
}
