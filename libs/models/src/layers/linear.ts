import { linear, type tf } from "@parfocal/tensor";
import type { ForwardContext } from "../model.ts";

/** Applies the linear layer declared as `name`, with a bias unless told: `x` `[R, I]` -> `[R, O]`. */
export function applyLinear(context: ForwardContext, name: string, x: tf.Tensor2D, hasBias = true): tf.Tensor2D {
  const bias = hasBias ? context.parameter(`${name}.bias`) : undefined;
  return linear(x, context.parameter(`${name}.weight`), bias) as tf.Tensor2D;
}
