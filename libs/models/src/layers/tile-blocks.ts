/**
 * The tiles of a bag, block after block. Legend: N tiles, B blocks of b, D width of a tile, H of what is pooled, A columns of attention.
 */
import { deriveSize, type IntegerMath, indexVector, scanBlocks, tf } from "@parfocal/tensor";
import type { ForwardContext } from "../model.ts";

/**
 * Most tiles in a block: few enough for the caches to keep them between layers, and enough for every core. A product of a whole bag goes
 * through memory once for each slice of its depth, which costs 15 to 25 % of its time at 10 000 tiles.
 */
const MOST_TILES = 512;

/** Moves tiles that are not there out of a softmax. */
const OUT_OF_THE_WAY = 1e9;

/** N tiles as B blocks of nearly equal size, the last one filled up with the last tile. */
export interface TileBlocks {
  readonly nTiles: number;
  /** `[B, b]` i32: which tiles are in a block. */
  readonly index: tf.Tensor2D;
  /** `[B, 1, b]`: 0, and far below any score where a tile only fills up. */
  readonly gaps: tf.Tensor3D;
}

/** Whether tiles may go block by block: at inference, where no gradient needs what lies between. */
export function isBlockwise(context: ForwardContext): boolean {
  return context.isInference && !tf.engine().isTapeOn();
}

/** Cuts N tiles: `B = ceil(N / 512)` and `b = ceil(N / B)`, so that fewer than B tiles are computed twice. */
export function cutTiles(nTiles: number): TileBlocks {
  const count = deriveSize({
    symbol: "TileBlocks",
    from: [nTiles],
    formula: (math, [n]) => quotientAbove(math, n, math.constant(MOST_TILES)),
  });
  const size = deriveSize({
    symbol: "BlockTiles",
    from: [nTiles, count],
    formula: (math, [n, b]) => quotientAbove(math, n, b),
  });
  const index = indexVector(count * size, [nTiles], (math, [i, n]) => {
    const last = math.sub(n, math.constant(1));
    return math.add(last, math.mul(math.less(i, last), math.sub(i, last)));
  });
  const isThere = indexVector(count * size, [nTiles], (math, [i, n]) => math.less(i, n));
  const gaps = tf.mul(tf.sub(tf.cast(isThere, "float32"), 1), OUT_OF_THE_WAY);
  return { nTiles, index: tf.reshape(index, [count, size]), gaps: tf.reshape(gaps, [count, 1, size]) };
}

function quotientAbove<T>(math: IntegerMath<T>, a: T, b: T): T {
  return math.div(math.add(a, math.sub(b, math.constant(1))), b);
}

/** What a block of tiles says. */
export interface ScoredBlock {
  /** `[b, H]`. */
  readonly hidden: tf.Tensor2D;
  /** `[A, b]`. */
  readonly scores: tf.Tensor2D;
}

/** Sums of a bag's tiles weighted by a softmax over them. */
export interface PooledBlocks {
  /** `[A, H]`. */
  readonly pooled: tf.Tensor2D;
  /** `[N, A]`, as the blocks gave them. */
  readonly scores: tf.Tensor2D;
}

/**
 * `softmax over tiles of (scores + gaps)`, times `hidden`, of what `score` makes of each block of `tiles` `[N, D]`; what lies between is
 * never larger than a block. Each block has a softmax of its own, and the blocks are weighted by theirs: the same sums as of a whole bag but
 * for rounding. `gaps` `[B, A, b]` are those of `blocks` unless columns have their own.
 */
export function poolInBlocks(
  tiles: tf.Tensor2D,
  { nTiles, index, gaps: own }: TileBlocks,
  score: (block: tf.Tensor2D) => ScoredBlock,
  gaps: tf.Tensor3D = own,
): PooledBlocks {
  const { stacked } = scanBlocks([index, gaps], ([rows, gap]) => {
    const { hidden, scores } = score(tf.gather(tiles, rows as tf.Tensor1D));
    const shifted = tf.add(scores, gap as tf.Tensor2D); // [A, b]
    const peak = tf.max(shifted, 1, true); // [A, 1]
    const weights = tf.exp(tf.sub(shifted, peak)) as tf.Tensor2D;
    return { stacked: [scores, peak, tf.sum(weights, 1, true), tf.matMul(weights, hidden)] };
  });
  const [scores, peaks, totals, sums] = stacked as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
  const share = tf.exp(tf.sub(peaks, tf.max(peaks, 0, true))); // [B, A, 1]
  const pooled: tf.Tensor2D = tf.div(tf.sum(tf.mul(sums, share), 0), tf.sum(tf.mul(totals, share), 0));
  return { pooled, scores: asColumns(scores, nTiles) };
}

/** The mean over tiles of what `f` makes of each block of `tiles` `[N, D]`, `[1, H]`. */
export function meanInBlocks(
  tiles: tf.Tensor2D,
  { index, gaps }: TileBlocks,
  f: (block: tf.Tensor2D) => tf.Tensor2D,
): tf.Tensor2D {
  const { stacked } = scanBlocks([index, gaps], ([rows, gap]) => {
    const isThere = tf.exp(gap as tf.Tensor2D); // [1, b]
    const sums = tf.matMul(isThere, f(tf.gather(tiles, rows as tf.Tensor1D)));
    return { stacked: [sums, tf.sum(isThere, 1, true)] };
  });
  const [sums, counts] = stacked as [tf.Tensor3D, tf.Tensor3D];
  return tf.div(tf.sum(sums, 0), tf.sum(counts, 0));
}

/** `[B, A, b]` as the rows of the N tiles, `[N, A]`. */
function asColumns(rows: tf.Tensor3D, nTiles: number): tf.Tensor2D {
  const nColumns = rows.shape[1];
  const columns: tf.Tensor2D = tf.reshape(tf.transpose(rows, [0, 2, 1]), [-1, nColumns]);
  return tf.slice(columns, [0, 0], [nTiles, nColumns]);
}
