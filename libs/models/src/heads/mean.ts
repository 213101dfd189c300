import { meanOverTiles, tf } from "@parfocal/tensor";
import { createConfigReader } from "../config-reader.ts";
import { applyLinear } from "../layers/linear.ts";
import { applyTrunk, declareTrunk, readTrunkConfig, type TrunkConfig, trunkWidth } from "../layers/trunk.ts";
import type { HeadConfig, HeadDefinition } from "../model.ts";
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
    const hidden = applyTrunk(config, tiles, context); // [N, H]
    const width = hidden.shape[1];
    const pooled: tf.Tensor2D = tf.reshape(meanOverTiles(hidden), [1, width]);
    const logits: tf.Tensor1D = tf.reshape(applyLinear(context, "classifier", pooled), [nLogits]);
    return { logits };
  },
};
