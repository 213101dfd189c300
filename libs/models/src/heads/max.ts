import { logSoftmax, maxOverTiles, tf } from "@parfocal/tensor";
import { createConfigReader } from "../config-reader.ts";
import { applyLinear } from "../layers/linear.ts";
import { applyTrunk, declareTrunk, readTrunkConfig, type TrunkConfig, trunkWidth } from "../layers/trunk.ts";
import type { HeadConfig, HeadDefinition } from "../model.ts";
import { linearParameters } from "../parameter.ts";

/** Configuration of {@link maxHead}. */
export interface MaxConfig extends HeadConfig, TrunkConfig {
  readonly kind: "max";
  readonly hidden: readonly number[];
  readonly activation: TrunkConfig["activation"];
  readonly init: TrunkConfig["init"];
  /**
   * `embedding`: the largest value of every hidden feature is classified. `instance`: every tile is classified and the
   * bag takes the logits of its critical tile.
   */
  readonly level: "embedding" | "instance";
}

/**
 * Max pooling. At the instance level the critical tile is, with a softmax of two, the one with the largest probability of
 * the positive class; with a softmax of more, the one with the largest probability of any class; with sigmoids each
 * class takes its own. Of equal tiles the first one wins and alone gets the gradient.
 *
 * At the instance level `attention` are the tiles' own logits, `[N, K]`, of which the bag's are taken; embeddings say nothing of single
 * tiles.
 *
 * Source: Ilse et al. 2018, eq. 5 (embedding); Campanella et al. 2019, as in the `mil` models of CLAM (instance).
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

  countBranches: ({ level }, { nLogits }) => (level === "instance" ? nLogits : 0),

  forward(config, tiles, context, { nLogits, link }) {
    const hidden = applyTrunk(config, tiles, context); // [N, H]
    if (config.level === "instance") {
      const perTile = applyLinear(context, "classifier", hidden); // [N, K]
      const logits = link === "softmax" ? criticalTile(perTile) : maxOverTiles(perTile);
      return { logits: tf.reshape(logits, [nLogits]), ...(context.isInference && { attention: perTile }) };
    }
    const pooled: tf.Tensor2D = tf.reshape(maxOverTiles(hidden), [1, hidden.shape[1]]);
    return { logits: tf.reshape(applyLinear(context, "classifier", pooled), [nLogits]) };
  },
};

/** The row of `logits` `[N, K]` of the tile whose softmax is the most certain (K = 2: of class 1), as `[1, K]`. */
function criticalTile(logits: tf.Tensor2D): tf.Tensor2D {
  // The choice has no gradient: a custom one passes what arrives to the chosen row.
  const select = tf.customGrad((x, save) => {
    const scores = x as tf.Tensor2D;
    const certainty =
      scores.shape[1] === 2
        ? tf.sub(tf.slice(scores, [0, 1], [-1, 1]), tf.slice(scores, [0, 0], [-1, 1]))
        : tf.max(logSoftmax(scores), 1, true); // [N, 1]
    const tile = tf.range(0, scores.shape[0], 1, "int32"); // [N]
    const winner = tf.argMax(certainty, 0); // [1]
    const chosen: tf.Tensor2D = tf.reshape(tf.cast(tf.equal(tile, winner), "float32"), [1, scores.shape[0]]); // [1, N]
    (save as tf.GradSaveFunc)([chosen]);
    const value = tf.matMul(chosen, scores);
    return {
      value,
      gradFunc: (dy: tf.Tensor, [row]: tf.Tensor[]) => tf.matMul(row as tf.Tensor2D, dy as tf.Tensor2D, true),
    };
  });
  return select(logits) as tf.Tensor2D;
}
