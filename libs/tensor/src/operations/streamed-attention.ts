import { DomainError } from "@parfocal/errors";
import type { Tensor } from "@tensorflow/tfjs";
import { MICROSOFT_DOMAIN } from "../capture/domains.ts";
import { activeRecorder, type Recorder } from "../capture/recorder.ts";
import { body, int } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { attentionGradientBody } from "./attention-gradient-body.ts";
import { defineOperation, emitted } from "./define-operation.ts";
import { blockGradients, mergeHeads, scaleOf, splitHeads, weightsOf } from "./multi-head-attention.ts";

// Legend: N tiles, H heads, d head width.

/** Options of {@link streamedAttention}. */
export interface StreamedAttentionOptions {
  /** Number of heads; divides the width. */
  readonly heads: number;
  /** Queries whose weights the gradient holds at once: its memory is at most about 3·queryBlock·N numbers. Default 256. */
  readonly queryBlock?: number;
}

type Inputs = readonly [Tensor, Tensor, Tensor];

const DEFAULT_QUERY_BLOCK = 256;

const attention = defineOperation<Inputs, StreamedAttentionOptions>({
  name: "streamedAttention",
  emit: (recorder, inputs, { heads }) =>
    recorder.emit("MultiHeadAttention", inputs, inputs[0], {
      attributes: { num_heads: int(heads) },
      domain: MICROSOFT_DOMAIN,
    }),
  eager([query, key, value], { heads }) {
    const [q, k, v] = [splitHeads(query, heads), splitHeads(key, heads), splitHeads(value, heads)];
    return mergeHeads(tf.matMul(weightsOf(q, k, scaleOf(query, heads)), v));
  },
  gradient(dy, { inputs, output }, { heads, queryBlock = DEFAULT_QUERY_BLOCK }) {
    const [query, key, value] = inputs.map((x) => splitHeads(x, heads)) as unknown as Inputs; // [1, H, N, d]
    const upstream = splitHeads(dy, heads);
    const scale = scaleOf(inputs[0], heads);
    const recorder = activeRecorder();
    if (recorder === undefined) return blockGradients(upstream, query, key, value, scale).map(mergeHeads);
    const drift = tf.sum(tf.mul(upstream, splitHeads(output, heads)), 3, true); // [1, H, N, 1]
    const slopes = tf.concat([upstream, tf.neg(drift)], 3); // [1, H, N, d+1]
    const ones = tf.onesLike(tf.slice(value, [0, 0, 0, 0], [-1, -1, -1, 1]));
    const scaled = tf.mul(query, scale);
    const [dq, dk, dv] = scanHeads(recorder, [scaled, key, tf.concat([value, ones], 3), slopes], queryBlock);
    return [tf.mul(dq, scale), dk, dv].map(mergeHeads);
  },
});

/** Heads of a group: two keep both cores of a small machine busy, each with a head of its own; more would share their caches. */
const groupOf = (heads: number): number => (heads % 2 === 0 ? 2 : 1);

/** Gradients [1, H, N, d] by the scaled queries, keys and values, group after group of heads. */
function scanHeads(
  recorder: Recorder,
  tensors: readonly [Tensor, Tensor, Tensor, Tensor],
  queryBlock: number,
): [Tensor, Tensor, Tensor] {
  const [, heads = 1, nTiles = 1, depth = 1] = tensors[0].shape;
  const group = groupOf(heads);
  const grouped = (width: number) => [heads / group, group, nTiles, width];
  const operands = tensors.map((x) => recorder.valueOf(tf.reshape(x, grouped(x.shape[3] ?? 1)))); // [H/G, G, N, .]
  const type = { dtype: "f32" as const, shape: grouped(depth) };
  const outputs = recorder.emitMany("Scan", operands, [type, type, type], {
    attributes: {
      body: body(attentionGradientBody({ depth, group, queryBlock })),
      num_scan_inputs: int(operands.length),
    },
  });
  const [dq, dk, dv] = outputs.map((value) => tf.reshape(emitted(value), [1, heads, nTiles, depth]));
  if (dq === undefined || dk === undefined || dv === undefined)
    throw new DomainError("INTERNAL", `attention's gradient has ${outputs.length} parts; it must have 3`);
  return [dq, dk, dv];
}

/**
 * Attention of N tiles to each other in H heads: `query`, `key`, `value` [1, N, H·d] give [1, N, H·d], f32, scores scaled by
 * 1/√d. Exact, and linear in N in memory both ways: one fused node forward; the gradient scans heads and blocks of queries and
 * computes their weights again. N may be symbolic, which `multiHeadAttention` with a query block cannot have.
 *
 * @throws {DomainError} SHAPE_MISMATCH when the shapes differ or the heads do not divide the width.
 */
export function streamedAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: StreamedAttentionOptions,
): Tensor {
  const [nBatch, , width = 0] = query.shape;
  const isSame = [key, value].every(({ shape }) => tf.util.arraysEqual(shape, query.shape));
  if (query.rank !== 3 || nBatch !== 1 || !isSame || width % options.heads !== 0) {
    const shapes = [query, key, value].map(({ shape }) => `[${shape.join(", ")}]`).join(", ");
    throw new DomainError(
      "SHAPE_MISMATCH",
      `streamedAttention: query, key, value are ${shapes} with ${options.heads} heads; they must be one [1, N, H·d]`,
    );
  }
  return attention([query, key, value], options);
}
