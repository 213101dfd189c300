import type { Tensor } from "@tensorflow/tfjs";
import { dims } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

const expand = defineOperation<readonly [Tensor], { readonly shape: readonly number[] }>({
  name: "expandTo",
  emit: (recorder, [x], { shape }) => recorder.emit("Expand", [x, dims(shape)], { dtype: x.dtype, shape }),
  eager: ([x], { shape }) => tf.broadcastTo(x, [...shape]),
  gradient(dy, { inputs: [x] }) {
    const offset = dy.rank - x.rank;
    const axes = dy.shape.flatMap((size, i) => (i < offset || (x.shape[i - offset] === 1 && size !== 1) ? [i] : []));
    return [tf.reshape(axes.length === 0 ? dy : tf.sum(dy, axes), x.shape)];
  },
});

/**
 * `x` repeated along its axes of size 1 (and new leading axes) to `shape`. Elementwise operations broadcast by themselves;
 * this is for what does not. In a captured graph it costs nothing when only elementwise operations read it.
 */
export function expandTo(x: Tensor, shape: readonly number[]): Tensor {
  return expand([x], { shape });
}
