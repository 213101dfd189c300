import type { Tensor } from "@tensorflow/tfjs";
import { text } from "../capture/recording.ts";
import { like } from "../kernels/kernel.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

/** Options of {@link gelu}. */
export interface GeluOptions {
  /** `erf` is exact; `tanh` is the approximation that GPT-2 made common. */
  readonly form?: "erf" | "tanh";
}

const exact = defineOperation<readonly [Tensor], undefined>({
  name: "gelu",
  emit: (recorder, [x]) => like(recorder, "Gelu", [x], { approximate: text("none") }),
  eager: ([x]) => tf.mul(x, normalDistribution(x)),
  gradient(dy, { inputs: [x] }) {
    const density = tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return [tf.mul(dy, tf.add(normalDistribution(x), tf.mul(x, density)))];
  },
});

/** Φ(x), the standard normal distribution. */
function normalDistribution(x: Tensor): Tensor {
  return tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
}

/** √(2/π) and the cubic coefficient of the approximation. */
const TANH_SCALE = Math.sqrt(2 / Math.PI);
const TANH_CUBIC = 0.044715;

const approximate = defineOperation<readonly [Tensor], undefined>({
  name: "gelu",
  emit: (recorder, [x]) => like(recorder, "Gelu", [x], { approximate: text("tanh") }),
  eager: ([x]) => tf.mul(tf.mul(x, 0.5), tf.add(innerTanh(x), 1)),
  gradient: (dy, { inputs: [x] }) => [tf.mul(dy, tanhGeluSlope(x))],
});

/** The slope of the approximation by tanh at `x`, elementwise. */
export function tanhGeluSlope(x: Tensor): Tensor {
  const inner = innerTanh(x);
  const slope = tf.mul(tf.add(tf.mul(tf.square(x), 3 * TANH_CUBIC), 1), TANH_SCALE);
  const bend = tf.mul(tf.mul(x, tf.sub(1, tf.square(inner))), slope);
  return tf.mul(tf.add(tf.add(inner, 1), bend), 0.5);
}

function innerTanh(x: Tensor): Tensor {
  return tf.tanh(tf.mul(tf.mul(x, tf.add(tf.mul(tf.square(x), TANH_CUBIC), 1)), TANH_SCALE));
}

/** x·Φ(x), elementwise, f32. */
export function gelu(x: Tensor, { form = "erf" }: GeluOptions = {}): Tensor {
  return form === "erf" ? exact([x], undefined) : approximate([x], undefined);
}
