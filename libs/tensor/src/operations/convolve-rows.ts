import { DomainError } from "@parfocal/errors";
import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../tf.ts";
import { convolveTokens } from "./convolve-tokens.ts";
import { indexVector } from "./index-vector.ts";

// Legend: P rows, H heads, d head width, k taps, r = ⌊k/2⌋, m blocks of l = P / m rows.

/**
 * `x` [P, H·d] convolved along its rows, every channel of head h with taps `kernel[h]` [H, k], zero outside; k is odd. As
 * `convolveTokens` of one region, but for the gradient by the kernel, which takes m = `nBlocks` blocks of rows (m divides P): one matrix
 * product of [H, l, l + 2r] in place of P × P.
 *
 * @throws {DomainError} SHAPE_MISMATCH as `convolveTokens`.
 */
export function convolveRows(x: Tensor2D, kernel: Tensor2D, nBlocks: number): Tensor2D {
  const run = tf.customGrad((rows, taps, save) => {
    const [input, filter] = [rows, taps] as [Tensor2D, Tensor2D];
    (save as tf.GradSaveFunc)([input, filter]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => {
      const [before, weights] = saved as [Tensor2D, Tensor2D];
      return [convolve(dy, tf.reverse(weights, 1)), kernelGradient(dy as Tensor2D, before, weights.shape, nBlocks)];
    };
    return { value: convolve(input, filter), gradFunc };
  });
  return run(x, kernel) as Tensor2D;
}

function convolve(x: Tensor, kernel: Tensor): Tensor2D {
  const [nRows = 0, width = 0] = x.shape;
  return tf.reshape(convolveTokens(tf.reshape(x, [1, nRows, width]), kernel), [nRows, width]);
}

/** Tap t gets Σ over rows i and channels of dy[i]·x[i + t - r]: of every block the products with the rows around it, summed. */
function kernelGradient(dy: Tensor2D, x: Tensor2D, [heads, nTaps]: [number, number], nBlocks: number): Tensor {
  const [nRows, width] = dy.shape;
  if (nRows % nBlocks !== 0)
    throw new DomainError("SHAPE_MISMATCH", `convolveRows: ${nBlocks} blocks do not divide ${nRows} rows`);
  const length = nRows / nBlocks;
  const wide = length + nTaps - 1;
  const reach = (nTaps - 1) / 2;
  const padded = tf.pad(x, [[reach, reach], [0, 0]]); // biome-ignore format: one line
  const around = indexVector(nBlocks * wide, [length], (math, [i, l]) => {
    const size = math.add(l, math.constant(nTaps - 1));
    return math.add(math.mul(math.div(i, size), l), math.mod(i, size));
  });
  const byHead = (rows: Tensor, nPlaces: number): Tensor =>
    tf.reshape(tf.transpose(tf.reshape(rows, [nBlocks, nPlaces, heads, width / heads]), [2, 1, 0, 3]), [
      heads,
      nPlaces,
      (nBlocks * width) / heads,
    ]);
  const products = tf.matMul(byHead(dy, length), byHead(tf.gather(padded, around), wide), false, true); // [H, l, l + 2r]
  const offset = tf.sub(tf.range(0, wide, 1, "int32"), tf.reshape(tf.range(0, length, 1, "int32"), [length, 1]));
  // A tap is a sum along a diagonal. All at once would take a size that is quadratic in l, which no graph of any P can have.
  const taps = Array.from({ length: nTaps }, (_, t) => {
    const isTap = tf.cast(tf.equal(offset, tf.scalar(t, "int32")), "float32"); // [l, l + 2r]
    return tf.sum(tf.mul(products, isTap), [1, 2]); // [H]
  });
  return tf.stack(taps, 1); // [H, k]
}
