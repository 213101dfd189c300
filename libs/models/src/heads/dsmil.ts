import { logSoftmax, lookupRows, productsWithRows, softmaxOverTiles, tf } from "@parfocal/tensor";
import { createConfigReader } from "../config-reader.ts";
import { criticalTiles } from "../layers/critical-tiles.ts";
import { applyLinear } from "../layers/linear.ts";
import { applyTrunk, declareTrunk, MAX_WIDTH, readTrunkConfig, type TrunkConfig, trunkWidth } from "../layers/trunk.ts";
import { type DropoutSite, type ForwardContext, type HeadConfig, type HeadDefinition, TILES } from "../model.ts";
import { linearParameters } from "../parameter.ts";
import type { Link } from "../task.ts";

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
  /** What is served: the bag stream's logits, or those of the mean of both streams' probabilities. Training always has the former. */
  readonly decision: "bag" | "mean";
  /** Share of the loss that the critical tiles' own logits get; the rest is the bag's. */
  readonly instanceWeight: number;
}

/**
 * Dual-stream pooling. The instance stream scores every tile and finds the critical one of each class; the bag stream
 * attends to the tiles that resemble it: `A = softmax over tiles of q(h) · q(h*) / sqrt(Q)`, `B = Aᵀ V`, and each logit mixes
 * the embeddings of all classes. The instance stream's logits are the auxiliary output.
 *
 * Source: Li et al. 2021 (arXiv:2011.08939), eq. 2 to 7 and their public program, whose older versions have a query of one layer and
 * values without an activation. Differs: where both streams decide, that
 * program adds their sigmoids; here it is their mean, so that it is a probability.
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
      decision: reader.choice("decision", ["bag", "mean"], "bag"),
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

  forward(config, tiles, context, { nLogits, link }) {
    const hidden = applyTrunk(config, tiles, context); // [N, W]
    const critical = criticalTiles(() => applyLinear(context, "instance", hidden)); // [K]
    const attention = similarity(config, queriesOf(config, hidden, context), critical); // [N, K]
    const pooled = tf.matMul(attention, valuesOf(config, hidden, context), true); // [K, W]
    const bag: tf.Tensor1D = tf.reshape(applyLinear(context, "classifier", tf.reshape(pooled, [1, -1])), [nLogits]);
    const instance = criticalLogits(hidden, critical, context);
    const logits = config.decision === "mean" && context.isInference ? meanLogits(link, bag, instance) : bag;
    return { logits, attention, auxiliary: { logits: instance, weight: config.instanceWeight } };
  },
};

/** Logits `[K]` whose probabilities are the means of those of `a` and of `b`; of numbers the means themselves. */
function meanLogits(link: Link, a: tf.Tensor1D, b: tf.Tensor1D): tf.Tensor1D {
  if (link === "identity") return tf.mul(tf.add(a, b), 0.5);
  if (link === "softmax") return logSumOf(logSoftmax(a) as tf.Tensor1D, logSoftmax(b) as tf.Tensor1D);
  const above = logSumOf(tf.logSigmoid(a), tf.logSigmoid(b));
  return tf.sub(above, logSumOf(tf.logSigmoid(tf.neg(a)), tf.logSigmoid(tf.neg(b))));
}

/** `ln(e^a + e^b)`, finite for any finite logs. */
function logSumOf(a: tf.Tensor1D, b: tf.Tensor1D): tf.Tensor1D {
  const larger = tf.maximum<tf.Tensor1D>(a, b);
  return tf.sub(larger, tf.logSigmoid(tf.abs(tf.sub(a, b))));
}

function queriesOf(config: DsmilConfig, hidden: tf.Tensor2D, context: ForwardContext): tf.Tensor2D {
  const layer = applyLinear(context, "query.0", hidden); // [N, Q]
  return config.query === "deep" ? tf.tanh(applyLinear(context, "query.1", tf.relu(layer))) : layer;
}

/** The largest score of each class, `[K]`, from its critical tile alone: the other tiles have no part in its gradient. */
function criticalLogits(hidden: tf.Tensor2D, critical: tf.Tensor1D, context: ForwardContext): tf.Tensor1D {
  const tiles = lookupRows(hidden, critical); // [K, W]
  const weight = context.parameter<tf.Tensor2D>("instance.weight"); // [K, W]
  return tf.add(tf.sum(tf.mul(tiles, weight), 1), context.parameter<tf.Tensor1D>("instance.bias"));
}

/** Attention of the tiles with `queries` `[N, Q]` to the critical tile of each class, `[N, K]`, columns summing to 1. */
function similarity({ queryWidth }: DsmilConfig, queries: tf.Tensor2D, critical: tf.Tensor1D): tf.Tensor2D {
  const products = productsWithRows(queries, critical); // [N, K]
  return softmaxOverTiles(tf.mul(products, 1 / Math.sqrt(queryWidth))) as tf.Tensor2D;
}

function valuesOf(config: DsmilConfig, hidden: tf.Tensor2D, context: ForwardContext): tf.Tensor2D {
  if (config.value === "identity") return hidden;
  const values = applyLinear(context, "value", context.dropout("value", hidden));
  return config.valueActivation === "relu" ? tf.relu(values) : values;
}
