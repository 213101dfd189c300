import { DomainError } from "@parfocal/errors";
import type { Tensor } from "@tensorflow/tfjs";
import { MICROSOFT_DOMAIN } from "../capture/domains.ts";
import { int } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

// Legend: B batch, T queries, S keys, H heads, d head width.

/** Options of {@link multiHeadAttention}. */
export interface MultiHeadAttentionOptions {
  /** Number of heads; divides the width. */
  readonly heads: number;
  /**
   * Queries whose weights the gradient holds at once: its memory is B·H·queryBlock·S. All of them unless given. A number
   * needs a static T, as the blocks are unrolled.
   */
  readonly queryBlock?: number;
}

type Inputs = readonly [Tensor, Tensor, Tensor];

/** [B, T, H·d] as [B, H, T, d]. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const [nBatch = 1, nRows = 1, width = heads] = x.shape;
  return tf.transpose(tf.reshape(x, [nBatch, nRows, heads, width / heads]), [0, 2, 1, 3]);
}

/** [B, H, T, d] as [B, T, H·d]. */
export function mergeHeads(x: Tensor): Tensor {
  const [nBatch = 1, heads = 1, nRows = 1, depth = 1] = x.shape;
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [nBatch, nRows, heads * depth]);
}

/** What scores are multiplied with: 1/√d. */
export function scaleOf(query: Tensor, heads: number): number {
  return 1 / Math.sqrt((query.shape.at(-1) ?? heads) / heads);
}

/** Attention weights [B, H, T, S] of queries and keys that are split into heads. */
export function weightsOf(query: Tensor, key: Tensor, scale: number): Tensor {
  return tf.softmax(tf.mul(tf.matMul(query, key, false, true), scale)); // [B, H, T, S]
}

/** The first row and the number of rows of each block of `nRows`. */
function blocksOf(nRows: number, queryBlock: number | undefined): [number, number][] {
  const size = Math.min(queryBlock ?? nRows, nRows);
  return Array.from({ length: Math.ceil(nRows / size) }, (_, i) => [i * size, Math.min(size, nRows - i * size)]);
}

/** Gradients by query, key and value that a block of queries [B, H, t, d] contributes; `dy` is that of its output. */
export function blockGradients(dy: Tensor, query: Tensor, key: Tensor, value: Tensor, scale: number): Inputs {
  const weights = weightsOf(query, key, scale); // [B, H, t, S]
  const weighted = tf.mul(tf.matMul(dy, value, false, true), weights); // [B, H, t, S]
  const scores = tf.mul(tf.sub(weighted, tf.mul(weights, tf.sum(weighted, -1, true))), scale); // [B, H, t, S]
  return [tf.matMul(scores, key), tf.matMul(scores, query, true), tf.matMul(weights, dy, true)];
}

const attention = defineOperation<Inputs, MultiHeadAttentionOptions>({
  name: "multiHeadAttention",
  emit: (recorder, inputs, { heads }) =>
    recorder.emit("MultiHeadAttention", inputs, inputs[0], {
      attributes: { num_heads: int(heads) },
      domain: MICROSOFT_DOMAIN,
    }),
  eager([query, key, value], { heads }) {
    const [q, k, v] = [splitHeads(query, heads), splitHeads(key, heads), splitHeads(value, heads)];
    return mergeHeads(tf.matMul(weightsOf(q, k, scaleOf(query, heads)), v));
  },
  gradient(dy, { inputs }, { heads, queryBlock }) {
    const [query, key, value] = inputs.map((x) => splitHeads(x, heads)) as unknown as Inputs;
    const upstream = splitHeads(dy, heads); // [B, H, T, d]
    const parts = blocksOf(query.shape[2] ?? 1, queryBlock).map(([first, count]) => {
      const rows = (x: Tensor): Tensor => tf.slice(x, [0, 0, first, 0], [-1, -1, count, -1]);
      return blockGradients(rows(upstream), rows(query), key, value, scaleOf(inputs[0], heads));
    });
    const sumOf = (position: 1 | 2): Tensor =>
      parts.map((part) => part[position]).reduce((sum, part) => tf.add(sum, part));
    return [
      tf.concat(
        parts.map(([byQuery]) => byQuery),
        2,
      ),
      sumOf(1),
      sumOf(2),
    ].map(mergeHeads);
  },
});

/**
 * Attention in H heads: `query` [B, T, H·d], `key` and `value` [B, S, H·d] give [B, T, H·d], f32, scores scaled by 1/√d, no
 * mask. One fused node whose memory is linear in T and S; the gradient computes the weights again, block by block.
 *
 * Source: Vaswani et al. 2017, equations 1 and 5 without the projections.
 *
 * @throws {DomainError} SHAPE_MISMATCH when the shapes do not fit or the heads do not divide the width.
 */
export function multiHeadAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: MultiHeadAttentionOptions,
): Tensor {
  const width = query.shape[2] ?? 0;
  const isFit =
    query.rank === 3 &&
    tf.util.arraysEqual(key.shape, value.shape) &&
    key.shape[0] === query.shape[0] &&
    key.shape[2] === width;
  if (!isFit || width % options.heads !== 0) {
    const shapes = [query, key, value].map(({ shape }) => `[${shape.join(", ")}]`).join(", ");
    throw new DomainError(
      "SHAPE_MISMATCH",
      `multiHeadAttention: query, key, value are ${shapes} with ${options.heads} heads`,
    );
  }
  return attention([query, key, value], options);
}
