import { meanOverTiles, tf } from "@parfocal/tensor";
import { createConfigReader } from "../config-reader.ts";
import { applyLinear } from "../layers/linear.ts";
import { cutTiles, isBlockwise, meanInBlocks } from "../layers/tile-blocks.ts";
import { applyTrunk, declareTrunk, readTrunkConfig, type TrunkConfig, trunkWidth } from "../layers/trunk.ts";
import type { ForwardContext, HeadConfig, HeadDefinition } from "../model.ts";
import { linearParameters } from "../parameter.ts";

/** Configuration of {@link meanHead}. */
export interface MeanConfig extends HeadConfig, TrunkConfig {
  readonly kind: "mean";
  readonly hidden: readonly number[];
  readonly activation: TrunkConfig["activation"];
  readonly init: TrunkConfig["init"];
}

/**
 * Mean pooling: `logits = (mean over tiles of trunk(x)) W + b`. Every tile weighs the same, so it has no attention.
 *
 * Source: the common baseline of multiple-instance learning (Ilse et al. 2018, eq. 4).
 */
export const meanHead: HeadDefinition<MeanConfig> = {
  kind: "mean",

  parseConfig(json) {
    const reader = createConfigReader(json, "head");
    const config: MeanConfig = { kind: reader.choice("kind", ["mean"]), ...readTrunkConfig(reader) };
    reader.assertNoOthers();
    return config;
  },

  declare(config, { dIn, nLogits }) {
    const trunk = declareTrunk(config, dIn);
    const classifier = { nIn: trunkWidth(config, dIn), nOut: nLogits, scheme: config.init };
    return { ...trunk, parameters: [...trunk.parameters, ...linearParameters("classifier", classifier)] };
  },

  countBranches: () => 0,

  forward(config, tiles, context, { nLogits }) {
    const pooled = meanTile(config, tiles, context); // [1, H]
    const logits: tf.Tensor1D = tf.reshape(applyLinear(context, "classifier", pooled), [nLogits]);
    return { logits };
  },
};

function meanTile(config: MeanConfig, tiles: tf.Tensor2D, context: ForwardContext): tf.Tensor2D {
  const trunk = (x: tf.Tensor2D) => applyTrunk(config, x, context);
  // Without a layer there is nothing that a block would keep in the cache.
  if (isBlockwise(context) && config.hidden.length > 0) return meanInBlocks(tiles, cutTiles(tiles.shape[0]), trunk);
  const hidden = trunk(tiles); // [N, H]
  return tf.reshape(meanOverTiles(hidden), [1, hidden.shape[1]]);
}
