import { DomainError } from "@parfocal/errors";
import { tf } from "@parfocal/tensor";
import { createConfigReader } from "../config-reader.ts";
import {
  type AttentionConfig,
  attendInBlocks,
  countAttentionBranches,
  declareAttentionHead,
  poolTiles,
  readAttentionFields,
  scoreTiles,
} from "../layers/attention-pooling.ts";
import { type InstanceLossConfig, instanceLoss } from "../layers/instance-loss.ts";
import { smoothSvm } from "../layers/smooth-svm.ts";
import { isBlockwise } from "../layers/tile-blocks.ts";
import { trunkWidth } from "../layers/trunk.ts";
import type { BagTarget, ForwardContext, HeadDefinition, HeadOutput, HeadWidths } from "../model.ts";
import { linearParameters } from "../parameter.ts";

// Legend: K logits.

/** Configuration of {@link clamHead}. */
export interface ClamConfig extends AttentionConfig<"clam">, InstanceLossConfig {
  readonly instances: number;
  readonly instanceLoss: "svm" | "ce";
  readonly subtyping: boolean;
  /** Loss of the bag's logits: the task's own, or smooth SVM. */
  readonly bagLoss: "ce" | "svm";
  /** Share of the loss that the instances get; the rest is the bag's. */
  readonly instanceWeight: number;
}

const GATED = { isGated: true } as const;

/**
 * CLAM: gated attention pooling that in training also clusters tiles. A classifier of each class learns to tell the tiles of most
 * attention from those of least. `branches` `single` is CLAM-SB, `per-class` CLAM-MB, whose classes pick tiles by attentions of their
 * own. Serving is gated attention pooling: the instance classifiers train only.
 *
 * Source: Lu et al. 2021 (arXiv:2004.09666) and their public program. Differs: scores have no bias, as it cancels in the softmax;
 * a single sigmoid has one instance classifier; smooth SVM of sigmoids is that of the scores (0, z).
 */
export const clamHead: HeadDefinition<ClamConfig> = {
  kind: "clam",

  parseConfig(json, defaults) {
    const reader = createConfigReader(json, "head");
    const config: ClamConfig = {
      kind: reader.choice("kind", ["clam"]),
      ...readAttentionFields(reader, defaults),
      instances: reader.number("instances", { min: 1, max: 256, isInteger: true, fallback: 8 }),
      instanceLoss: reader.choice("instanceLoss", ["svm", "ce"], "svm"),
      bagLoss: reader.choice("bagLoss", ["ce", "svm"], "ce"),
      instanceWeight: reader.number("instanceWeight", { min: 0, max: 1, fallback: 0.3 }),
      subtyping: reader.boolean("subtyping", false),
    };
    reader.assertNoOthers();
    if (!config.subtyping || !defaults.isMultilabel) return config;
    const message =
      "head.subtyping is true; it must be false in a multilabel task, whose classes do not exclude each other";
    throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "head.subtyping" } });
  },

  declare(config, widths) {
    const { parameters, dropoutSites } = declareAttentionHead(config, widths, GATED);
    const layer = { nIn: trunkWidth(config, widths.dIn), nOut: 2, scheme: config.init };
    const instances = classNames(widths).flatMap((name) => linearParameters(name, layer));
    return { parameters: [...parameters, ...instances], dropoutSites };
  },

  countBranches: countAttentionBranches,

  forward(config, tiles, context, widths) {
    if (!isBlockwise(context)) return pickTiles(config, tiles, context, widths);
    // Whoever asks for the objective at inference as well gets it of all tiles at once.
    const objective = (target: BagTarget) => pickTiles(config, tiles, context, widths).objective(target);
    return { ...attendInBlocks(config, tiles, context, widths, GATED), objective };
  },
};

/** The head as it trains: all tiles at once, for its instance loss picks among them. */
function pickTiles(
  config: ClamConfig,
  tiles: tf.Tensor2D,
  context: ForwardContext,
  widths: HeadWidths,
): HeadOutput & { readonly objective: (target: BagTarget) => tf.Scalar } {
  const scored = scoreTiles(config, tiles, context, GATED);
  const pooled = poolTiles(config, scored, context, widths);
  const objective = (target: BagTarget): tf.Scalar => {
    const bag = config.bagLoss === "svm" ? bagSvm(pooled.logits, target, widths) : target.lossOf(pooled.logits);
    const instances = instanceLoss(scored, classifiersOf(context, widths), target, config);
    return tf.add(tf.mul(bag, 1 - config.instanceWeight), tf.mul(instances, config.instanceWeight));
  };
  return { ...pooled, objective };
}

function classNames({ nLogits }: HeadWidths): string[] {
  return Array.from({ length: nLogits }, (_, c) => `instance.${c}`);
}

function classifiersOf(context: ForwardContext, widths: HeadWidths) {
  return classNames(widths).map((name) => ({
    weight: context.parameter<tf.Tensor2D>(`${name}.weight`),
    bias: context.parameter<tf.Tensor1D>(`${name}.bias`),
  }));
}

/** Smooth SVM of the bag: of competing logits at once, of independent ones each against 0, by the target's weights. */
function bagSvm(logits: tf.Tensor1D, { isTrue, weights }: BagTarget, { link }: HeadWidths): tf.Scalar {
  if (link === "softmax") return tf.mul(smoothSvm(logits, isTrue), tf.sum(tf.mul(isTrue, weights)));
  const scores = tf.stack([tf.zerosLike(logits), logits], 1); // [K, 2]
  const target = tf.stack([tf.sub(1, isTrue), isTrue], 1);
  return tf.sum(tf.mul(smoothSvm(scores, target), weights));
}
