import { linear, type tf } from "@parfocal/tensor";
import type { ForwardContext } from "../model.ts";

/** Applies the linear layer declared as `name`: `x` `[R, I]` -> `[R, O]`. */
export function applyLinear(context: ForwardContext, name: string, x: tf.Tensor2D): tf.Tensor2D {
  return linear(x, context.parameter(`${name}.weight`), context.parameter(`${name}.bias`)) as tf.Tensor2D;
}
