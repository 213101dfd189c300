import { DomainError } from "@parfocal/errors";
import type { Tensor } from "@tensorflow/tfjs";
import { MICROSOFT_DOMAIN } from "../capture/domains.ts";
import { int } from "../capture/recording.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

// Legend: N tiles, H heads, d head width.

interface RotationOptions {
  readonly heads: number;
}

const rotate = defineOperation<readonly [Tensor, Tensor, Tensor], RotationOptions>({
  name: "rotatePairs",
  emit(recorder, [x, cos, sin], { heads }) {
    // One position is where the sequence begins: row i of the tables belongs to tile i.
    const start = recorder.constant(BigInt64Array.of(0n), { dtype: "i64", shape: [1] });
    return recorder.emit("RotaryEmbedding", [x, start, cos, sin], x, {
      attributes: { num_heads: int(heads), interleaved: int(1) },
      domain: MICROSOFT_DOMAIN,
    });
  },
  eager([x, cos, sin], { heads }) {
    const [, nTiles = 1, width = 1] = x.shape;
    const half = width / heads / 2;
    const pairs = tf.reshape(x, [nTiles, heads, half, 2]);
    const [even, odd] = tf.unstack(pairs, 3) as [Tensor, Tensor]; // [N, H, d/2]
    const [c, s] = [cos, sin].map((table) => tf.reshape(table, [nTiles, 1, half])) as [Tensor, Tensor];
    const turned = [tf.sub(tf.mul(even, c), tf.mul(odd, s)), tf.add(tf.mul(odd, c), tf.mul(even, s))];
    return tf.reshape(tf.stack(turned, 3), x.shape);
  },
  gradient: (dy, { inputs: [, cos, sin] }, options): Tensor[] => [
    rotate([dy, cos, tf.neg(sin)], options),
    tf.zerosLike(cos),
    tf.zerosLike(sin),
  ],
});

/**
 * Turns each pair of neighbouring channels (2j, 2j+1) of each head by an angle of its tile: `x` [1, N, H·d] with `cos` and `sin`
 * [N, d/2] of the angles, the same for every head, gives [1, N, H·d]. The gradient turns back; none reaches the tables.
 *
 * Source: Su et al. 2021 (arXiv:2104.09864), eq. 34.
 *
 * @throws {DomainError} SHAPE_MISMATCH when the tables do not fit.
 */
export function rotatePairs(x: Tensor, cos: Tensor, sin: Tensor, heads: number): Tensor {
  const [nBatch, nTiles = 0, width = 0] = x.shape;
  const table = [nTiles, width / heads / 2];
  const isFit = x.rank === 3 && nBatch === 1 && [cos, sin].every(({ shape }) => tf.util.arraysEqual(shape, table));
  if (isFit) return rotate([x, cos, sin], { heads });
  const shapes = [x, cos, sin].map(({ shape }) => `[${shape.join(", ")}]`).join(", ");
  throw new DomainError("SHAPE_MISMATCH", `rotatePairs: x, cos, sin are ${shapes} with ${heads} heads`);
}
