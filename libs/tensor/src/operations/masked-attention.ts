import { DomainError } from "@parfocal/errors";
import type { Tensor } from "@tensorflow/tfjs";
import { MICROSOFT_DOMAIN } from "../capture/domains.ts";
import { int } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";
import { mergeHeads, scaleOf, splitHeads, weightsOf } from "./multi-head-attention.ts";

// Legend: B batch, T queries, S keys, H heads, d head width.

type Inputs = readonly [Tensor, Tensor, Tensor, Tensor];

/** Added to the scores of absent keys, as the runtime's fused node does: exp of it is 0. */
const NEVER = -10_000;

/** Attention weights [B, H, T, S] of split queries and keys; absent keys have none. */
function maskedWeights(query: Tensor, key: Tensor, isPresent: Tensor, scale: number): Tensor {
  const [nBatch = 1, nKeys = 1] = isPresent.shape;
  const penalty = tf.mul(tf.sub(1, tf.cast(isPresent, "float32")), NEVER);
  const scores = tf.mul(tf.matMul(query, key, false, true), scale);
  return tf.softmax(tf.add(scores, tf.reshape(penalty, [nBatch, 1, 1, nKeys])));
}

const attention = defineOperation<Inputs, { readonly heads: number }>({
  name: "maskedAttention",
  emit: (recorder, [query, key, value, isPresent], { heads }) =>
    recorder.emit("MultiHeadAttention", [query, key, value, undefined, isPresent], query, {
      attributes: { num_heads: int(heads) },
      domain: MICROSOFT_DOMAIN,
    }),
  eager([query, key, value, isPresent], { heads }) {
    const [q, k, v] = [splitHeads(query, heads), splitHeads(key, heads), splitHeads(value, heads)];
    return mergeHeads(tf.matMul(maskedWeights(q, k, isPresent, scaleOf(query, heads)), v));
  },
  gradient: (dy, { inputs: [query, key, value, isPresent] }, { heads }) => [
    ...attentionGradients(dy, { query, key, value, isPresent, heads }),
    tf.zerosLike(isPresent),
  ],
});

/** What an attention was made from. */
export interface AttentionInputs {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  /** Absent: all keys are there. */
  readonly isPresent?: Tensor;
  readonly heads: number;
}

/**
 * Gradients by query, key and value of {@link maskedAttention}, or without a mask of `multiHeadAttention`, where that of its value is
 * `dy`; for operations that have attention inside. Computes the weights again and holds them all.
 */
export function attentionGradients(dy: Tensor, inputs: AttentionInputs): [Tensor, Tensor, Tensor] {
  const { query, key, value, isPresent, heads } = inputs;
  const scale = scaleOf(query, heads);
  const [q, k, v, upstream] = [query, key, value, dy].map((x) => splitHeads(x, heads)) as unknown as Inputs;
  const weights = isPresent === undefined ? weightsOf(q, k, scale) : maskedWeights(q, k, isPresent, scale); // [B, H, T, S]
  const weighted = tf.mul(tf.matMul(upstream, v, false, true), weights);
  const scores = tf.mul(tf.sub(weighted, tf.mul(weights, tf.sum(weighted, -1, true))), scale);
  return [tf.matMul(scores, k), tf.matMul(scores, q, true), tf.matMul(weights, upstream, true)].map(mergeHeads) as [
    Tensor,
    Tensor,
    Tensor,
  ];
}

/**
 * {@link multiHeadAttention} to those keys alone that are there: `isPresent` i32 [B, S] is 1 for them and 0 for others, at least one 1
 * in each row. One fused node, which stores its scores; the gradient computes them again.
 *
 * @throws {DomainError} SHAPE_MISMATCH when the shapes do not fit or the heads do not divide the width.
 */
export function maskedAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  isPresent: Tensor,
  options: { readonly heads: number },
): Tensor {
  const [nBatch = 0, nKeys = 0, width = 0] = key.shape;
  const isFit =
    query.rank === 3 &&
    tf.util.arraysEqual(key.shape, value.shape) &&
    query.shape[0] === nBatch &&
    query.shape[2] === width &&
    tf.util.arraysEqual(isPresent.shape, [nBatch, nKeys]);
  if (isFit && width % options.heads === 0) return attention([query, key, value, isPresent], options);
  const shapes = [query, key, value, isPresent].map(({ shape }) => `[${shape.join(", ")}]`).join(", ");
  const message = `maskedAttention: query, key, value, isPresent are ${shapes} with ${options.heads} heads`;
  throw new DomainError("SHAPE_MISMATCH", message);
}
