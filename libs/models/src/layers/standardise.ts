import { tf } from "@parfocal/tensor";
import type { ForwardContext } from "../model.ts";
import type { ParameterSpec } from "../parameter.ts";

/** Parameters `mean` and `scale` `[D]` of the standardisation: fitted on the training split, never trained. */
export function standardiseParameters(dIn: number): ParameterSpec[] {
  return [
    { name: "mean", shape: [dIn], init: { kind: "zeros" }, decay: false, isTrainable: false },
    { name: "scale", shape: [dIn], init: { kind: "ones" }, decay: false, isTrainable: false },
  ];
}

/** `(tiles - mean) * scale`, `[N, D]` -> `[N, D]`. `scale` is one over the standard deviation. */
export function applyStandardise(tiles: tf.Tensor2D, context: ForwardContext): tf.Tensor2D {
  return tf.mul(tf.sub(tiles, context.parameter<tf.Tensor1D>("mean")), context.parameter<tf.Tensor1D>("scale"));
}
