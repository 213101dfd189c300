import { levelSide } from "@parfocal/geometry";
import { layerNorm, tf } from "@parfocal/tensor";
import type { ForwardContext } from "../model.ts";
import type { MixerConfig } from "./mixer-config.ts";

/** Features of each magnification through its own norm `levelNorm.<m>`: whole regions `[B, T, D]` -> `[B, T, D]`. */
export function normaliseLevels(config: MixerConfig, tokens: tf.Tensor3D, context: ForwardContext): tf.Tensor3D {
  let first = 0;
  const parts = config.levels.map((level) => {
    const count = levelSide(level, config.regionTiles) ** 2;
    const rows = tf.slice(tokens, [0, first, 0], [-1, count, -1]);
    first += count;
    const gain = context.parameter(`levelNorm.${level}.weight`);
    return layerNorm(rows, gain, context.parameter(`levelNorm.${level}.bias`)) as tf.Tensor3D;
  });
  return tf.concat3d(parts, 1);
}
