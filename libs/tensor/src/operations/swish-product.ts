import type { Tensor } from "@tensorflow/tfjs";
import { MICROSOFT_DOMAIN } from "../capture/domains.ts";
import { float } from "../capture/recording.ts";
import { like } from "../kernels/kernel.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

const product = defineOperation<readonly [Tensor, Tensor], undefined>({
  name: "swishProduct",
  emit(recorder, [gate, up]) {
    const swish = recorder.emit("QuickGelu", [gate], gate, {
      attributes: { alpha: float(1) },
      domain: MICROSOFT_DOMAIN,
    });
    return like(recorder, "Mul", [swish, up]);
  },
  eager: ([gate, up]) => tf.mul(tf.mul(gate, tf.sigmoid(gate)), up),
  gradient: (dy, { inputs: [gate, up] }) => swishProductGradients(dy, gate, up).gradients,
});

/** Gradients of {@link swishProduct} by `gate` and `up`, and its value, of which they have half; for operations that have it inside. */
export function swishProductGradients(
  dy: Tensor,
  gate: Tensor,
  up: Tensor,
): { value: Tensor; gradients: [Tensor, Tensor] } {
  const s = tf.sigmoid(gate);
  const swish = tf.mul(gate, s);
  const slope = tf.add(s, tf.sub(swish, tf.mul(swish, s)));
  return { value: tf.mul(swish, up), gradients: [tf.mul(tf.mul(dy, up), slope), tf.mul(dy, swish)] };
}

/**
 * `gate · σ(gate) · up`, elementwise, f32: the product inside a SwiGLU layer.
 *
 * Source: Shazeer 2020 (arXiv:2002.05202), eq. 6 without its three matrices.
 */
export function swishProduct(gate: Tensor, up: Tensor): Tensor {
  return product([gate, up], undefined);
}
