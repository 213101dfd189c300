import type { Tensor, Tensor1D, Tensor4D } from "@tensorflow/tfjs";
import type { Dim, GraphType } from "../graph.ts";
import { dropout } from "../operations/dropout.ts";
import { expandTo } from "../operations/expand.ts";
import { gridAngles } from "../operations/grid-angles.ts";
import { layerNorm } from "../operations/layer-norm.ts";
import { linear } from "../operations/linear.ts";
import { multiHeadAttention } from "../operations/multi-head-attention.ts";
import { maxOverTiles, meanOverTiles, softmaxOverTiles } from "../operations/pooling.ts";
import { rotatePairs } from "../operations/rotate-pairs.ts";
import { scanBlocks } from "../operations/scan-blocks.ts";
import { sizeOf } from "../operations/size-of.ts";
import { streamedAttention } from "../operations/streamed-attention.ts";
import { tokenMlp } from "../operations/token-mlp.ts";
import { tf } from "../tf.ts";

/** A function of tensors over N tiles; `N` in a shape stands for their number. */
export interface DynamicCase {
  readonly name: string;
  readonly inputs: Readonly<Record<string, { readonly dtype: GraphType; readonly shape: readonly Dim[] }>>;
  readonly f: (tensors: Record<string, Tensor>) => Tensor;
}

const tiles = { x: { dtype: "f32", shape: ["N", 3] } } as const;
const heads = { x: { dtype: "f32", shape: [1, "N", 8] } } as const;
const column = { s: { dtype: "f32", shape: ["N", 2] } } as const;
const token = { c: { dtype: "f32", shape: [1, 3] } } as const;
const weight = { w: { dtype: "f32", shape: [4, 3] } } as const;
const words = { u: { dtype: "u16", shape: ["N", 3] } } as const;
const index = { i: { dtype: "i32", shape: ["N"] } } as const;
const filter = { k: { dtype: "f32", shape: [5, 1, 3, 1] } } as const;
const gain = { g: { dtype: "f32", shape: [3] } } as const;

/** The gradient by `x` of the sum of squares of a function: squares, so that it depends on the values. */
const slope =
  (f: (x: Tensor) => Tensor) =>
  ({ x }: Record<string, Tensor>): Tensor =>
    tf.grad((t: Tensor) => tf.sum(tf.square(f(t))))(x!);

const convolve = (x: Tensor, k: Tensor): Tensor => {
  const image = tf.reshape(x, [1, -1, 1, 3]) as Tensor4D; // [1, N, 1, 3]
  return tf.reshape(tf.depthwiseConv2d(image, k as Tensor4D, 1, "same"), [-1, 3]);
};

/** What models do along the axis of tiles, and the gradients of it: one line each. */
export const dynamicCases: readonly DynamicCase[] = [
  { name: "elementwise", inputs: tiles, f: ({ x }) => tf.sigmoid(tf.add(x!, 1)) },
  {
    name: "blocks one after the other",
    inputs: tiles,
    f: ({ x }) => {
      const { stacked, summed } = scanBlocks([x!], ([row]) => ({ stacked: [tf.mul(row!, 2)], summed: [row!] }));
      return tf.add(stacked[0]!, tf.div(summed[0]!, sizeOf(x!, 0)));
    },
  },
  {
    // Rows by symbol count as many, so that it is made standing and turned; of 1 to 65 tiles it is not.
    name: "flat product over the tiles",
    inputs: { a: { dtype: "f32", shape: ["N", 64] }, b: { dtype: "f32", shape: ["N", 130] } },
    f: ({ a, b }) => tf.matMul(a!, b!, true),
  },
  { name: "linear", inputs: { ...tiles, ...weight }, f: ({ x, w }) => linear(x!, w!) },
  {
    name: "gradient of linear by its weight",
    inputs: { ...tiles, ...weight },
    f: ({ x, w }) => tf.grad((v: Tensor) => tf.sum(tf.square(linear(x!, v))))(w!),
  },
  { name: "mean and its gradient", inputs: tiles, f: slope(meanOverTiles) },
  { name: "mean of all and its gradient", inputs: tiles, f: slope((x) => tf.mean(x)) },
  { name: "max and its gradient", inputs: tiles, f: slope(maxOverTiles) },
  { name: "softmax and its gradient", inputs: tiles, f: slope(softmaxOverTiles) },
  {
    name: "pooling by attention",
    inputs: { ...tiles, ...column },
    f: ({ x, s }) => tf.matMul(softmaxOverTiles(s!), x!, true),
  },
  {
    name: "layer norm and its gradient",
    inputs: { ...tiles, ...gain },
    f: ({ x, g }) => slope((t) => layerNorm(t, g!, g!))({ x: x! }),
  },
  { name: "variance and its gradient", inputs: tiles, f: slope((x) => tf.moments(x, 0).variance) },
  {
    name: "dropout and its gradient",
    inputs: { ...tiles, ...words },
    f: ({ x, u }) => slope((t) => dropout(t, u!, 0.6))({ x: x! }),
  },
  { name: "a class token before the tiles", inputs: { ...tiles, ...token }, f: ({ x, c }) => tf.concat([c!, x!], 0) },
  {
    name: "gradient through a class token",
    inputs: { ...tiles, ...token },
    f: ({ x, c }) => slope((t) => tf.slice(tf.concat([c!, t], 0), [1, 0], [-1, -1]))({ x: x! }),
  },
  { name: "tiles twice", inputs: tiles, f: ({ x }) => tf.concat([x!, x!], 0) },
  { name: "slice from the front", inputs: tiles, f: ({ x }) => tf.slice(x!, [0, 1], [1, 2]) },
  { name: "gradient of a slice", inputs: tiles, f: slope((x) => tf.slice(x, [0, 1], [1, 2])) },
  { name: "padding", inputs: tiles, f: slope((x) => tf.pad(x, [[2, 3], [0, 0]])) }, // biome-ignore format: one line
  {
    name: "split into heads and back",
    inputs: tiles,
    f: ({ x }) => tf.reshape(tf.transpose(tf.reshape(x!, [-1, 3, 1]), [1, 0, 2]), [3, -1]),
  },
  {
    name: "attention of all with all",
    inputs: tiles,
    f: slope((x) => tf.matMul(tf.softmax(tf.matMul(x, x, false, true)), x)),
  },
  {
    name: "gather of tiles and its gradient",
    inputs: { ...tiles, ...index },
    f: ({ x, i }) => slope((t) => tf.gather(t, i as Tensor1D))({ x: x! }),
  },
  { name: "convolution along the tiles", inputs: { ...tiles, ...filter }, f: ({ x, k }) => convolve(x!, k!) },
  {
    name: "gradient of the convolution by tiles",
    inputs: { ...tiles, ...filter },
    f: ({ x, k }) => slope((t) => convolve(t, k!))({ x: x! }),
  },
  {
    name: "gradient of the convolution by filter",
    inputs: { ...tiles, ...filter },
    f: ({ x, k }) => tf.grad((v: Tensor) => tf.sum(tf.square(convolve(x!, v))))(k!),
  },
  { name: "running sum", inputs: tiles, f: slope((x) => tf.cumsum(tf.transpose(x), 1)) },
  { name: "backwards", inputs: tiles, f: ({ x }) => tf.reverse(x!, 0) },
  {
    name: "position of each tile",
    inputs: tiles,
    f: ({ x }) => tf.mul(x!, tf.reshape(tf.range(0, x!.shape[0]!), [-1, 1])),
  },
  { name: "number of tiles", inputs: tiles, f: ({ x }) => tf.mul(tf.sum(x!), tf.rsqrt(sizeOf(x!, 0))) },
  { name: "ones of the shape", inputs: tiles, f: ({ x }) => tf.cumsum(tf.onesLike(x!), 1) },
  {
    name: "one row for every tile",
    inputs: { ...tiles, ...token },
    f: ({ x, c }) => tf.cumsum(expandTo(c!, x!.shape), 1),
  },
  {
    name: "fused attention and its gradient",
    inputs: heads,
    f: slope((x) => multiHeadAttention(x, x, x, { heads: 2 })),
  },
  {
    name: "streamed attention and its gradient",
    inputs: heads,
    f: slope((x) => streamedAttention(x, x, x, { heads: 2 })),
  },
  {
    name: "streamed attention in small blocks and its gradient",
    inputs: heads,
    f: slope((x) => streamedAttention(x, tf.tanh(x), x, { heads: 4, queryBlock: 16 })),
  },
  {
    name: "two layers on every tile and their gradient by a weight",
    inputs: { ...tiles, ...weight },
    f: ({ x, w }) =>
      tf.grad((v: Tensor) => tf.sum(tf.square(tokenMlp(x!, v, tf.ones([4]), tf.transpose(v), tf.ones([3])))))(w!),
  },
  {
    name: "two layers on every tile and their gradient by tiles",
    inputs: { ...tiles, ...weight },
    f: ({ x, w }) => slope((t) => tokenMlp(t, w!, tf.ones([4]), tf.transpose(w!), tf.ones([3])))({ x: x! }),
  },
  {
    name: "rotation by grid and its gradient",
    inputs: { ...heads, ...{ g: { dtype: "i32", shape: ["N", 2] } } },
    f: ({ x, g }) => {
      const angle = gridAngles(g!, { steps: [3], stepsPerTurn: 800 });
      return slope((t) => tf.sin(rotatePairs(t, tf.cos(angle), tf.sin(angle), 2)))({ x: x! });
    },
  },
  { name: "best tile", inputs: tiles, f: ({ x }) => tf.argMax(x!, 0) },
];
