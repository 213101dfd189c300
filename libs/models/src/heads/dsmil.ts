import { maxOverTiles, softmaxOverTiles, tf } from "@parfocal/tensor";
import { createConfigReader } from "../config-reader.ts";
import { criticalTiles } from "../layers/critical-tiles.ts";
import { applyLinear } from "../layers/linear.ts";
import { cutTiles, isBlockwise, rowsInBlocks } from "../layers/tile-blocks.ts";
import { applyTrunk, declareTrunk, MAX_WIDTH, readTrunkConfig, type TrunkConfig, trunkWidth } from "../layers/trunk.ts";
import { type DropoutSite, type ForwardContext, type HeadConfig, type HeadDefinition, TILES } from "../model.ts";
import { linearParameters } from "../parameter.ts";

// Legend: N tiles, W width behind the trunk, Q width of queries, K logits.

/** Configuration of {@link dsmilHead}. */
export interface DsmilConfig extends HeadConfig, TrunkConfig {
  readonly kind: "dsmil";
  readonly hidden: readonly number[];
  readonly activation: TrunkConfig["activation"];
  readonly init: TrunkConfig["init"];
  /** The query network: `tanh(W relu(W h))`, or one linear layer. */
  readonly query: "deep" | "linear";
  /** Width Q of its layers. */
  readonly queryWidth: number;
  /** What is pooled: the tiles themselves, or a layer `activation(W drop(h))` of them. */
  readonly value: "identity" | "learned";
  /** Of the learned values. */
  readonly valueActivation: "relu" | "none";
  /** Probability of dropping an activation before the learned values. */
  readonly valueDropout: number;
  /** Share of the loss that the critical tiles' own logits get; the rest is the bag's. */
  readonly instanceWeight: number;
}

/**
 * Dual-stream pooling. The instance stream scores every tile and finds the critical one of each class; the bag stream
 * attends to the tiles that resemble it: `A = softmax over tiles of q(h) · q(h*) / sqrt(Q)`, `B = Aᵀ V`, and each logit mixes
 * the embeddings of all classes. The instance stream's logits are the auxiliary output.
 *
 * Source: Li et al. 2021 (arXiv:2011.08939), eq. 2 to 7 and their public program, whose older versions have a query of one layer and
 * values without an activation. Differs: the bag's logits alone
 * are served; averaging both streams is left to who compares models.
 */
export const dsmilHead: HeadDefinition<DsmilConfig> = {
  kind: "dsmil",

  parseConfig(json) {
    const reader = createConfigReader(json, "head");
    const config: DsmilConfig = {
      kind: reader.choice("kind", ["dsmil"]),
      ...readTrunkConfig(reader, { hidden: [], init: "orthogonal" }),
      query: reader.choice("query", ["deep", "linear"], "deep"),
      queryWidth: reader.number("queryWidth", { min: 1, max: MAX_WIDTH, isInteger: true, fallback: 128 }),
      value: reader.choice("value", ["identity", "learned"], "identity"),
      valueActivation: reader.choice("valueActivation", ["relu", "none"], "relu"),
      valueDropout: reader.number("valueDropout", { min: 0, max: 0.95, fallback: 0 }),
      instanceWeight: reader.number("instanceWeight", { min: 0, max: 1, fallback: 0.5 }),
    };
    reader.assertNoOthers();
    return config;
  },

  declare(config, { dIn, nLogits }) {
    const trunk = declareTrunk(config, dIn);
    const [width, scheme, query] = [trunkWidth(config, dIn), config.init, config.queryWidth];
    const isLearned = config.value === "learned";
    const site: DropoutSite = { name: "value", shape: [TILES, width], probability: config.valueDropout };
    return {
      parameters: [
        ...trunk.parameters,
        ...linearParameters("instance", { nIn: width, nOut: nLogits, scheme }),
        ...linearParameters("query.0", { nIn: width, nOut: query, scheme }),
        ...(config.query === "deep" ? linearParameters("query.1", { nIn: query, nOut: query, scheme }) : []),
        ...(isLearned ? linearParameters("value", { nIn: width, nOut: width, scheme }) : []),
        ...linearParameters("classifier", { nIn: nLogits * width, nOut: nLogits, scheme }),
      ],
      dropoutSites: [...trunk.dropoutSites, ...(isLearned ? [site] : [])],
    };
  },

  countBranches: (_config, { nLogits }) => nLogits,

  forward(config, tiles, context, { nLogits }) {
    const hidden = applyTrunk(config, tiles, context); // [N, W]
    const { scores, queries } = streams(config, hidden, context);
    const attention = similarity(config, { scores, queries }, hidden.shape[0]); // [N, K]
    const pooled = tf.matMul(attention, valuesOf(config, hidden, context), true); // [K, W]
    const bag: tf.Tensor1D = tf.reshape(applyLinear(context, "classifier", tf.reshape(pooled, [1, -1])), [nLogits]);
    const instance: tf.Tensor1D = tf.reshape(maxOverTiles(scores), [nLogits]);
    const auxiliary = { logits: instance, weight: config.instanceWeight };
    return { logits: bag, attention, auxiliary };
  },
};

/** What is known of each tile; of rows beyond the last tile, that one's. */
interface Streams {
  /** `[R, K]`, R at least N. */
  readonly scores: tf.Tensor2D;
  /** `[R, Q]`. */
  readonly queries: tf.Tensor2D;
}

/** Both streams of `hidden` `[N, W]`; at inference block after block, which reads the tiles once for both. */
function streams(config: DsmilConfig, hidden: tf.Tensor2D, context: ForwardContext): Streams {
  const both = (x: tf.Tensor2D) => [applyLinear(context, "instance", x), queriesOf(config, x, context)];
  const isCut = isBlockwise(context);
  const [scores, queries] = isCut ? rowsInBlocks(hidden, cutTiles(hidden.shape[0]), both) : both(hidden);
  return { scores: scores as tf.Tensor2D, queries: queries as tf.Tensor2D };
}

function queriesOf(config: DsmilConfig, hidden: tf.Tensor2D, context: ForwardContext): tf.Tensor2D {
  const layer = applyLinear(context, "query.0", hidden); // [N, Q]
  return config.query === "deep" ? tf.tanh(applyLinear(context, "query.1", tf.relu(layer))) : layer;
}

/** Attention of the tiles to the critical tile of each class, columns summing to 1. The first of equal tiles is critical, never one that fills up. */
function similarity({ queryWidth }: DsmilConfig, { scores, queries }: Streams, nTiles: number): tf.Tensor2D {
  const sought = tf.matMul(criticalTiles(scores), queries, true); // [K, Q]
  const products: tf.Tensor2D = tf.matMul(queries, sought, false, true); // [R, K]
  const own = tf.slice(products, [0, 0], [nTiles, products.shape[1]]);
  return softmaxOverTiles(tf.mul(own, 1 / Math.sqrt(queryWidth))) as tf.Tensor2D;
}

function valuesOf(config: DsmilConfig, hidden: tf.Tensor2D, context: ForwardContext): tf.Tensor2D {
  if (config.value === "identity") return hidden;
  const values = applyLinear(context, "value", context.dropout("value", hidden));
  return config.valueActivation === "relu" ? tf.relu(values) : values;
}
