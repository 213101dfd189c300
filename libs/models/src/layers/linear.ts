import { linear } from "@parfocal/tensor";
import type { Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import type { ForwardContext } from "../model.ts";

/** Applies the linear layer declared as `name`: `x` `[R, I]` -> `[R, O]`. */
export function applyLinear(context: ForwardContext, name: string, x: Tensor2D): Tensor2D {
  return linear(x, context.parameter<Tensor2D>(`${name}.weight`), context.parameter<Tensor1D>(`${name}.bias`));
}
