import { DomainError } from "@parfocal/errors";
import type { Tensor, Tensor3D, Tensor4D } from "@tensorflow/tfjs";
import type { Recorder } from "../capture/recorder.ts";
import { dims, int, ints, type RecordedValue } from "../capture/recording.ts";
import { reshape, transpose } from "../kernels/kernel.ts";
import { tf } from "../tf.ts";
import { defineOperation } from "./define-operation.ts";

// Legend: G regions, T tokens of a region, H heads, d head width, k taps.

/** The kernel [H, k] of each head for each of its channels: [H·d, 1, 1, k]. */
export function kernelByChannel(recorder: Recorder, kernel: RecordedValue, depth: number): RecordedValue {
  const [heads = 1, nTaps = 1] = kernel.shape;
  const shape = [heads, depth, nTaps];
  const column = reshape(recorder, kernel, [heads, 1, nTaps]);
  const repeated = recorder.emit("Expand", [column, dims(shape)], { dtype: "f32", shape });
  return reshape(recorder, repeated, [heads * depth, 1, 1, nTaps]);
}

const convolved = defineOperation<readonly [Tensor, Tensor], undefined>({
  name: "convolveTokens",
  emit(recorder, [x, kernel]) {
    const [nRegions = 1, nTokens = 1, width = 1] = x.shape;
    const [heads = 1, nTaps = 1] = kernel.shape;
    const reach = (nTaps - 1) / 2;
    // Channels go first and tokens lie along the width, which is what the runtime's blocked kernels want.
    const image = transpose(recorder, reshape(recorder, x, [nRegions, 1, nTokens, width]), [0, 3, 1, 2]);
    const filter = kernelByChannel(recorder, kernel, width / heads);
    const attributes = { pads: ints([0, reach, 0, reach]), group: int(width), kernel_shape: ints([1, nTaps]) };
    const result = recorder.emit("Conv", [image, filter], image, { attributes });
    return reshape(recorder, transpose(recorder, result, [0, 2, 3, 1]), x.shape);
  },
  eager([x, kernel]) {
    const [nRegions = 1, nTokens = 1, width = 1] = x.shape;
    const [heads = 1, nTaps = 1] = kernel.shape;
    const byChannel = tf.tile(tf.reshape(kernel, [heads, 1, nTaps]), [1, width / heads, 1]);
    const filter = tf.reshape(tf.transpose(tf.reshape(byChannel, [width, nTaps])), [1, nTaps, width, 1]) as Tensor4D;
    const image = tf.reshape(x, [nRegions, 1, nTokens, width]) as Tensor4D;
    return tf.reshape(tf.depthwiseConv2d(image, filter, 1, "same"), x.shape);
  },
  gradient: (dy, { inputs: [x, kernel] }) => [
    convolveTokens(dy, tf.reverse(kernel, 1)),
    kernelGradient(dy, x, kernel.shape as [number, number]),
  ],
});

/**
 * What tap t gets: Σ over regions, tokens i and channels of dy[i]·x[i + t - ⌊k/2⌋]. All products dy[i]·x[j] at once are one
 * matrix product per head, [T, T]; taps are sums along its diagonals.
 */
function kernelGradient(dy: Tensor, x: Tensor, [heads, nTaps]: readonly [number, number]): Tensor {
  const [nRegions = 1, nTokens = 1, width = 1] = x.shape;
  const depth = width / heads;
  const byHead = (tensor: Tensor): Tensor3D =>
    tf.reshape(tf.transpose(tf.reshape(tensor, [nRegions, nTokens, heads, depth]), [2, 1, 0, 3]), [
      heads,
      nTokens,
      nRegions * depth,
    ]);
  return tapsFromProducts(tf.matMul(byHead(dy), byHead(x), false, true), nTaps);
}

/** The gradients [H, k] of taps from the products dy[i]·x[j] of each head, `products` [H, T, T]: sums along diagonals. */
export function tapsFromProducts(products: Tensor, nTaps: number): Tensor {
  const [heads = 1, nTokens = 1] = products.shape;
  const token = tf.range(0, nTokens, 1, "int32");
  const offset = tf.sub(tf.reshape(token, [1, nTokens]), tf.reshape(token, [nTokens, 1])); // [T, T], j - i
  const tap = tf.reshape(tf.add(offset, tf.scalar((nTaps - 1) / 2, "int32")), [nTokens * nTokens, 1]);
  const isTap = tf.cast(tf.equal(tap, tf.range(0, nTaps, 1, "int32")), "float32"); // [T·T, k]
  return tf.matMul(tf.reshape(products, [heads, nTokens * nTokens]), isTap as tf.Tensor2D);
}

/**
 * `x` [G, T, H·d] convolved along the tokens of each region, every channel of head h with taps `kernel[h]` [H, k]:
 * y[g, i, c] = Σₜ kernel[h, t]·x[g, i + t - ⌊k/2⌋, c], zero outside the region (cross-correlation). k is odd.
 *
 * @throws {DomainError} SHAPE_MISMATCH when the heads do not divide the width or k is even.
 */
export function convolveTokens(x: Tensor, kernel: Tensor): Tensor {
  const [heads = 1, nTaps = 1] = kernel.shape;
  const width = x.shape[2] ?? 0;
  if (x.rank !== 3 || kernel.rank !== 2 || width % heads !== 0 || nTaps % 2 !== 1) {
    const message = `convolveTokens: x is [${x.shape.join(", ")}], kernel [${kernel.shape.join(", ")}]`;
    throw new DomainError("SHAPE_MISMATCH", `${message}; it takes [G, T, H*d] and [H, odd]`);
  }
  return convolved([x, kernel], undefined);
}
