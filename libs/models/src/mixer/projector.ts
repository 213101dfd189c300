import { gelu, linear, tf } from "@parfocal/tensor";
import type { ForwardContext } from "../model.ts";
import type { ParameterSpec } from "../parameter.ts";
import { mixerLinear } from "./mixer-block.ts";
import type { MixerConfig } from "./mixer-config.ts";
import type { ContrastiveConfig } from "./pretrain-config.ts";

/** Parameters `hidden` and `output` of the projector on the class tokens of a view side by side. */
export function projectorParameters({ classTokens, width }: MixerConfig, config: ContrastiveConfig): ParameterSpec[] {
  return [
    ...mixerLinear("hidden", classTokens * width, config.projectorWidth),
    ...mixerLinear("output", config.projectorWidth, config.projectionWidth),
  ];
}

/** Two layers with the exact GELU between them: class tokens `[V, C, W]` -> `[V, P]`. Dropped after pretraining (the paper, eq. 6). */
export function project(classTokens: tf.Tensor3D, context: ForwardContext): tf.Tensor2D {
  const [nViews, count, width] = classTokens.shape;
  const flat = tf.reshape(classTokens, [nViews, count * width]);
  const layer = (name: string, x: tf.Tensor) =>
    linear(x, context.parameter(`${name}.weight`), context.parameter(`${name}.bias`));
  return layer("output", gelu(layer("hidden", flat))) as tf.Tensor2D;
}
