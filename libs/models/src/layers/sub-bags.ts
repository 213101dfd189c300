/**
 * A bag cut into sub-bags at random, several times over. Legend: N tiles, S splits, G sub-bags of each, W width, K classes.
 */
import { type IntegerMath, indexVector, softmaxOverTiles, tf } from "@parfocal/tensor";
import type { Link } from "../task.ts";
import type { TileBlocks } from "./tile-blocks.ts";

/** Which tile lies in which sub-bag; columns are the sub-bags of the first split, then those of the next. */
export interface SubBags {
  readonly nSplits: number;
  readonly nGroups: number;
  /** `[N, S·G]`: 1 where a tile is in the sub-bag. */
  readonly isIn: tf.Tensor2D;
  /** `[S·G]`: 1 for sub-bags that have tiles; a bag of fewer than G tiles leaves some empty. */
  readonly isFilled: tf.Tensor1D;
}

/** Moves what is not in a sub-bag out of its softmax; far above any score. */
const OUT_OF_THE_WAY = 1e9;
/** Stands for what is not in a sub-bag where its largest values are looked for; below any product, above what fills up `largestTiles`. */
const FAR_BELOW = -1e29;

/**
 * Sub-bags by `keys` `[S, N]`, the tiles' numbers in a draw: the tile of the r-th smallest key is in sub-bag r mod G, so that sizes
 * differ by one at most and the first N mod G sub-bags are the larger ones.
 */
export function splitTiles(keys: tf.Tensor2D, nGroups: number): SubBags {
  const [nSplits, nTiles] = keys.shape;
  const rank = tf.cast(ascending(ascending(keys)), "float32"); // [S, N]
  const group = tf.sub(rank, tf.mul(tf.floor(tf.div(rank, nGroups)), nGroups)); // [S, N]
  const byTile = tf.reshape(tf.transpose(group), [nTiles, nSplits, 1]);
  const isIn = tf.cast(tf.equal(byTile, tf.range(0, nGroups, 1, "float32")), "float32"); // [N, S, G]
  const isFilled = indexVector(nSplits * nGroups, [nTiles], (math, [i, n]) =>
    math.less(math.mod(i, math.constant(nGroups)), n),
  );
  const columns = nSplits * nGroups;
  return { nSplits, nGroups, isIn: tf.reshape(isIn, [nTiles, columns]), isFilled: tf.cast(isFilled, "float32") };
}

/** The places of the elements in ascending order, of equals the first one first: `[S, N]` i32. Twice, it is their ranks. */
function ascending(x: tf.Tensor2D): tf.Tensor2D {
  return tf.topk(tf.neg(tf.cast(x, "float32")), x.shape[1]).indices;
}

/** A prime below 2²⁴: f32 holds every remainder. */
const PRIME = 16_777_213;
/** The first split's line through the tiles, and by what the next ones' differ: large numbers without a factor in common. */
const LINES = { slope: 7_368_787, slopeStep: 1_299_709, start: 104_729, startStep: 2_750_159 } as const;

/** Keys `[S, N]` that depend on S and N alone: what a split without a draw uses. Tiles side by side have keys far apart. */
export function fixedKeys(nTiles: number, nSplits: number): tf.Tensor2D {
  const keys = Array.from({ length: nSplits }, (_, s) => indexVector(nTiles, [], (math, [i]) => scrambled(math, i, s)));
  return tf.cast(tf.stack(keys), "float32") as tf.Tensor2D;
}

/** `(h² + h) mod p` of `h = (slope i + start) mod p`: every product stays below 2⁵³ for bags of up to 2²⁸ tiles. */
function scrambled<T>(math: IntegerMath<T>, i: T, split: number): T {
  const slope = math.constant((LINES.slope + split * LINES.slopeStep) % PRIME);
  const start = math.constant((LINES.start + split * LINES.startStep) % PRIME);
  const p = math.constant(PRIME);
  const line = math.mod(math.add(math.mul(i, slope), start), p);
  return math.mod(math.add(math.mul(line, line), line), p);
}

/** What keeps the tiles of each block out of the softmax of sub-bags that they are not in, `[B, S·G, b]`. */
export function gapsWithin({ isIn }: SubBags, { index, gaps }: TileBlocks): tf.Tensor3D {
  const [nBlocks, size] = index.shape;
  const rows = tf.gather(isIn, tf.reshape(index, [-1]) as tf.Tensor1D); // [B·b, S·G]
  const within = tf.mul(tf.sub(tf.reshape(rows, [nBlocks, size, isIn.shape[1]]), 1), OUT_OF_THE_WAY);
  return tf.add(tf.transpose(within, [0, 2, 1]), gaps);
}

/** Attention within each sub-bag: `scores` `[N, 1]` -> `[N, S·G]`, columns of filled sub-bags summing to 1. */
export function attendWithin(scores: tf.Tensor2D, { isIn }: SubBags): tf.Tensor2D {
  return softmaxOverTiles(tf.add(scores, tf.mul(tf.sub(isIn, 1), OUT_OF_THE_WAY))) as tf.Tensor2D;
}

/**
 * How much a tile says for the last class, `[N, S]`: the log odds of its probability in the softmax over classes of `a (W h)`, where `a`
 * is the tile's attention in its sub-bag and `tileLogits` `[N, K]` are the classifier's products without its bias; without a softmax the
 * largest of `a (W h)`. It ranks tiles as the probabilities do, also where those are 1 in f32.
 *
 * Source: Zhang et al. 2022 (arXiv:2203.12081), eq. 8 to 10, and their public program. Differs: that has the probability of the softmax, and
 * no other link.
 */
export function classActivation(
  attention: tf.Tensor2D,
  tileLogits: tf.Tensor2D,
  { isIn, nSplits, nGroups }: SubBags,
  link: Link,
): tf.Tensor2D {
  const [nTiles, nClasses] = tileLogits.shape;
  const own = tf.sum(tf.reshape(tf.mul(attention, isIn), [nTiles, nSplits, nGroups]), 2, true); // [N, S, 1]
  const products = tf.mul(own, tf.reshape(tileLogits, [nTiles, 1, nClasses])); // [N, S, K]
  if (link !== "softmax") return tf.max(products, 2) as tf.Tensor2D;
  const last = tf.slice(products, [0, 0, nClasses - 1], [-1, -1, 1]); // [N, S, 1]
  const others = tf.slice(products, [0, 0, 0], [-1, -1, nClasses - 1]); // [N, S, K-1]
  return tf.sub(tf.reshape(last, [nTiles, nSplits]), tf.logSumExp(others, 2)) as tf.Tensor2D;
}

/** `values` `[N, S]` of tiles in every sub-bag, `[N, S·G]`, far below any of them where a tile is not in it. */
export function valuesWithin(values: tf.Tensor2D, { isIn, nSplits, nGroups }: SubBags): tf.Tensor2D {
  const nTiles = values.shape[0];
  const perGroup = tf.add(tf.reshape(values, [nTiles, nSplits, 1]), tf.zeros([1, 1, nGroups])); // [N, S, G]
  const columns: tf.Tensor2D = tf.reshape(perGroup, [nTiles, nSplits * nGroups]);
  // Not moved but replaced: products have no bound.
  return tf.add(tf.mul(columns, isIn), tf.mul(tf.sub(1, isIn), FAR_BELOW));
}
