import { maxOverTiles } from "@parfocal/tensor";
import { reshape, type Tensor2D } from "@tensorflow/tfjs";
import { createConfigReader } from "../config-reader.ts";
import { applyLinear } from "../layers/linear.ts";
import { applyTrunk, declareTrunk, readTrunkConfig, type TrunkConfig, trunkWidth } from "../layers/trunk.ts";
import type { HeadConfig, HeadDefinition } from "../model.ts";
import { linearParameters } from "../parameter.ts";

/** Configuration of {@link maxHead}. */
export interface MaxConfig extends HeadConfig, TrunkConfig {
  readonly kind: "max";
  readonly hidden: readonly number[];
  readonly init: TrunkConfig["init"];
  /**
   * `embedding`: the largest value of every hidden feature is classified. `instance`: every tile is classified and each
   * class takes its largest logit.
   */
  readonly level: "embedding" | "instance";
}

/**
 * Max pooling. Of equal tiles the first one wins and alone gets the gradient.
 *
 * Source: Ilse et al. 2018, eq. 5. Differs: at the instance level classes take their maxima separately, so the head is
 * one formula for any number of classes; the CLAM programs take all logits of the single most confident tile.
 */
export const maxHead: HeadDefinition<MaxConfig> = {
  kind: "max",

  parseConfig(json) {
    const reader = createConfigReader(json, "head");
    const kind = reader.choice("kind", ["max"]);
    const level = reader.choice("level", ["embedding", "instance"], "embedding");
    const config: MaxConfig = { kind, level, ...readTrunkConfig(reader) };
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
    if (config.level === "instance") {
      const perTile = applyLinear(context, "classifier", hidden); // [N, K]
      return { logits: reshape(maxOverTiles(perTile), [nLogits]) };
    }
    const pooled: Tensor2D = reshape(maxOverTiles(hidden), [1, hidden.shape[1]]);
    return { logits: reshape(applyLinear(context, "classifier", pooled), [nLogits]) };
  },
};
