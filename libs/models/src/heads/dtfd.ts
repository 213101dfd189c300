import { logSoftmax, tf } from "@parfocal/tensor";
import { createConfigReader } from "../config-reader.ts";
import { attentionRows, attentionScores } from "../layers/attention-pooling.ts";
import { chosen } from "../layers/chosen.ts";
import { largestTiles } from "../layers/largest-tiles.ts";
import { applyLinear } from "../layers/linear.ts";
import { rowsOf } from "../layers/rows-of.ts";
import {
  attendWithin,
  classActivation,
  fixedKeys,
  gapsWithin,
  type SubBags,
  splitTiles,
  valuesWithin,
} from "../layers/sub-bags.ts";
import { cutTiles, isBlockwise, poolInBlocks } from "../layers/tile-blocks.ts";
import { applyTrunk, declareTrunk, MAX_WIDTH, readTrunkConfig, type TrunkConfig, trunkWidth } from "../layers/trunk.ts";
import {
  type BagTarget,
  type DropoutSite,
  type ForwardContext,
  type HeadConfig,
  type HeadDefinition,
  type HeadWidths,
  TILES,
} from "../model.ts";
import { linearParameters } from "../parameter.ts";

// Legend: N tiles, W width, K logits, S splits, G sub-bags of each, c rows that stand for a sub-bag, Q = G c.

/** Configuration of {@link dtfdHead}. */
export interface DtfdConfig extends HeadConfig, TrunkConfig {
  readonly kind: "dtfd";
  readonly hidden: readonly number[];
  readonly activation: TrunkConfig["activation"];
  readonly init: TrunkConfig["init"];
  /** G. */
  readonly groups: number;
  /**
   * What stands for a sub-bag in the second tier: `afs` its weighted sum, `max` the tiles that say most for the last class, `max-min`
   * those and the ones that say least.
   */
  readonly distill: "afs" | "max" | "max-min";
  /** How many tiles of each kind stand for a sub-bag. */
  readonly instances: number;
  /** Width of the hidden layer of both attentions. */
  readonly attentionWidth: number;
  /** Probability of dropping an activation of the first tier's. */
  readonly attentionDropout: number;
  /** S at inference: fixed splits whose probabilities are averaged. Training draws one. */
  readonly splits: number;
}

/** As the papers have it: tanh, and biases. */
const ATTENTION = { attentionActivation: "tanh", attentionBias: true } as const;
const FIRST = { isGated: true, name: "first.attention" } as const;
/** Moves rows that nothing stands for out of a softmax. */
const OUT_OF_THE_WAY = 1e9;

/**
 * DTFD-MIL: a bag is cut at random into sub-bags; the first tier pools each by gated attention and learns from it with the bag's label;
 * what it distills of them the second tier pools again and decides. The loss is the sum of both tiers', the first one's as a mean over
 * sub-bags; no gradient of the second tier reaches the first. Training draws a split for each step. Otherwise S fixed splits are taken
 * and their probabilities averaged, so the result depends a little on the order of the tiles, and not at all with one sub-bag.
 *
 * `attention` is a tile's share of its sub-bag times the sub-bag's share of the second tier, mean over the splits.
 *
 * Source: Zhang et al. 2022 (arXiv:2203.12081) and their public program. Differs: the second tier's input is a constant to it (theirs
 * clears the gradients afterwards); the average of the splits is given as logits whose probabilities it is.
 */
export const dtfdHead: HeadDefinition<DtfdConfig> = {
  kind: "dtfd",

  parseConfig(json) {
    const reader = createConfigReader(json, "head");
    const whole = (name: string, max: number, fallback: number) =>
      reader.number(name, { min: 1, max, isInteger: true, fallback });
    const config: DtfdConfig = {
      kind: reader.choice("kind", ["dtfd"]),
      ...readTrunkConfig(reader, { dropout: 0 }),
      groups: whole("groups", 64, 4),
      distill: reader.choice("distill", ["afs", "max", "max-min"], "afs"),
      instances: whole("instances", 64, 1),
      attentionWidth: whole("attentionWidth", MAX_WIDTH, 128),
      attentionDropout: reader.number("attentionDropout", { min: 0, max: 0.95, fallback: 0 }),
      splits: whole("splits", 16, 5),
    };
    reader.assertNoOthers();
    return config;
  },

  declare(config, { dIn, nLogits }) {
    const trunk = declareTrunk(config, dIn, false);
    const [nIn, nOut, scheme] = [trunkWidth(config, dIn), config.attentionWidth, config.init];
    const tier = (name: string) => [
      ...linearParameters(`${name}.attention.v`, { nIn, nOut, scheme }),
      ...linearParameters(`${name}.attention.u`, { nIn, nOut, scheme }),
      ...linearParameters(`${name}.attention.w`, { nIn: nOut, nOut: 1, scheme, hasBias: false }),
      ...linearParameters(`${name}.classifier`, { nIn, nOut: nLogits, scheme }),
    ];
    const site = (name: string, rows: DropoutSite["shape"][number]): DropoutSite => {
      return { name, shape: [rows, nOut], probability: config.attentionDropout };
    };
    const nRows = config.groups * rowsPerGroup(config);
    return {
      parameters: [...trunk.parameters, ...tier("first"), ...tier("second")],
      dropoutSites: [
        { name: "split", shape: [TILES, 1], probability: 0, isDraw: true },
        ...trunk.dropoutSites,
        ...["v", "u"].map((part) => site(`first.attention.${part}`, TILES)),
        ...["v", "u"].map((part) => site(`second.attention.${part}`, nRows)),
      ],
    };
  },

  countBranches: () => 1,

  forward(config, tiles, context, widths) {
    const bags = splitTiles(keysOf(config, tiles.shape[0], context), config.groups);
    // Distilling by single tiles looks for them among all.
    const pool = isBlockwise(context) && config.distill === "afs" ? poolSubBagsInBlocks : poolSubBags;
    const first = pool(config, tiles, bags, context);
    const second = poolDistilled(distill(config, first, bags, context, widths), bags, context);
    const objective = (target: BagTarget): tf.Scalar =>
      tf.add(meanLoss(first.logits, bags.isFilled, target), meanLoss(second.logits, undefined, target));
    return {
      logits: averaged(second.logits, widths),
      attention: tileShares(first.attention, second.shares, bags),
      objective,
    };
  },
};

function rowsPerGroup({ distill: kind, instances }: DtfdConfig): number {
  if (kind === "afs") return 1;
  return kind === "max" ? instances : 2 * instances;
}

/** `[1, N]` drawn in training, else `[S, N]` fixed. */
function keysOf({ splits }: DtfdConfig, nTiles: number, context: ForwardContext): tf.Tensor2D {
  if (context.isInference) return fixedKeys(nTiles, splits);
  const drawn = context.draw<tf.Tensor2D>("split", tf.zeros([1, 1])); // [N, 1]
  return tf.reshape(drawn, [1, nTiles]);
}

interface FirstTier {
  /** `[N, W]`, the tiles behind the trunk. */
  readonly hidden: () => tf.Tensor2D;
  /** `[N, S·G]`, columns summing to 1. */
  readonly attention: tf.Tensor2D;
  /** `[S·G, W]`. */
  readonly pooled: tf.Tensor2D;
  /** `[S·G, K]`. */
  readonly logits: tf.Tensor2D;
}

function poolSubBags(config: DtfdConfig, tiles: tf.Tensor2D, bags: SubBags, context: ForwardContext): FirstTier {
  const hidden = applyTrunk(config, tiles, context, false); // [N, W]
  const attention = attendWithin(attentionScores(ATTENTION, hidden, context, FIRST), bags);
  const pooled: tf.Tensor2D = tf.matMul(attention, hidden, true); // [S·G, W]
  return { hidden: () => hidden, attention, pooled, logits: applyLinear(context, "first.classifier", pooled) };
}

/** The same, block after block of tiles. */
function poolSubBagsInBlocks(
  config: DtfdConfig,
  tiles: tf.Tensor2D,
  bags: SubBags,
  context: ForwardContext,
): FirstTier {
  const trunk = (x: tf.Tensor2D) => applyTrunk(config, x, context, false);
  const blocks = cutTiles(tiles.shape[0]);
  const score = (block: tf.Tensor2D) => {
    const hidden = trunk(block);
    return { hidden, scores: attentionRows(ATTENTION, hidden, context, FIRST) };
  };
  const { pooled, scores } = poolInBlocks(tiles, blocks, score, gapsWithin(bags, blocks));
  const attention = attendWithin(scores, bags);
  return { hidden: () => trunk(tiles), attention, pooled, logits: applyLinear(context, "first.classifier", pooled) };
}

/** What the second tier gets. */
interface Distilled {
  /** `[S·G·c, W]`, a constant. */
  readonly rows: tf.Tensor2D;
  /** `[S·G·c]`: 1 where a row stands for something. */
  readonly isThere: tf.Tensor1D;
}

/** What stands for each sub-bag. */
function distill(
  config: DtfdConfig,
  { hidden, attention, pooled }: FirstTier,
  bags: SubBags,
  context: ForwardContext,
  { link }: HeadWidths,
): Distilled {
  if (config.distill === "afs") return { rows: constant(pooled), isThere: bags.isFilled };
  const weight = context.parameter<tf.Tensor2D>("first.classifier.weight"); // [K, W]
  const activation = classActivation(attention, tf.matMul(hidden(), weight, false, true), bags, link); // [N, S]
  const ends = config.distill === "max" ? [activation] : [activation, tf.neg(activation) as tf.Tensor2D];
  const picks = tf.concat(
    ends.map((values) => largestTiles(valuesWithin(values, bags), config.instances)),
    1,
  );
  const own = tf.mul(picks, tf.expandDims(tf.transpose(bags.isIn), 1)); // [S·G, c, N], rows of tiles of other sub-bags emptied
  const nRows = bags.nSplits * config.groups * rowsPerGroup(config);
  const flat: tf.Tensor2D = tf.reshape(own, [nRows, -1]);
  return { rows: tf.matMul(flat, constant(hidden())), isThere: tf.sum(flat, 1) };
}

function constant(x: tf.Tensor2D): tf.Tensor2D {
  return chosen(x, (value) => tf.clone(value as tf.Tensor2D));
}

interface SecondTier {
  /** `[S, K]`. */
  readonly logits: tf.Tensor2D;
  /** `[S·G]`: the share of each sub-bag, of every split summing to 1. */
  readonly shares: tf.Tensor1D;
}

function poolDistilled(
  { rows, isThere }: Distilled,
  { nSplits, nGroups }: SubBags,
  context: ForwardContext,
): SecondTier {
  const [nRows, width] = rows.shape;
  const perSplit = nRows / nSplits; // Q
  const scores = attentionScores(ATTENTION, rows, context, { isGated: true, name: "second.attention" }); // [S·Q, 1]
  const gaps = tf.mul(tf.sub(isThere, 1), OUT_OF_THE_WAY);
  const weights = tf.softmax(tf.reshape(tf.add(tf.reshape(scores, [nRows]), gaps), [nSplits, perSplit])); // [S, Q]
  const products = tf.matMul(tf.reshape(weights, [nSplits, 1, perSplit]), tf.reshape(rows, [nSplits, perSplit, width]));
  const pooled: tf.Tensor2D = tf.reshape(products, [nSplits, width]);
  const shares: tf.Tensor1D = tf.sum(tf.reshape(weights, [nSplits * nGroups, -1]), 1);
  return { logits: applyLinear(context, "second.classifier", pooled), shares };
}

/** The mean loss of rows of logits, `[R, K]`, or of those that count. */
function meanLoss(logits: tf.Tensor2D, counts: tf.Tensor1D | undefined, { lossOf }: BagTarget): tf.Scalar {
  const each: tf.Tensor1D = tf.concat(rowsOf<tf.Tensor1D>(logits).map((row) => tf.reshape(lossOf(row), [1]))); // [R]
  return counts === undefined ? tf.mean(each) : tf.div(tf.sum(tf.mul(each, counts)), tf.sum(counts));
}

/** Logits `[K]` whose probabilities are the mean of those of the rows of `logits` `[S, K]`; of numbers as they are, their mean. */
function averaged(logits: tf.Tensor2D, { link }: HeadWidths): tf.Tensor1D {
  const [nSplits, nLogits] = logits.shape;
  if (nSplits === 1) return tf.reshape(logits, [nLogits]);
  const mean = (logs: tf.Tensor): tf.Tensor1D => tf.logSumExp(logs, 0); // but for log S, which cancels
  if (link === "identity") return tf.mean(logits, 0);
  if (link === "softmax") return mean(logSoftmax(logits));
  return tf.sub(mean(tf.logSigmoid(logits)), mean(tf.logSigmoid(tf.neg(logits))));
}

/** `[N, 1]`, summing to 1. */
function tileShares(attention: tf.Tensor2D, shares: tf.Tensor1D, { nSplits }: SubBags): tf.Tensor2D {
  return tf.matMul(attention, tf.reshape(tf.div(shares, nSplits), [-1, 1]));
}
