import type { Tensor1D, Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs";
import { tf } from "../tf.ts";
import { bool, f32, i32, type OpCase } from "./op-case.ts";

const x234 = { x: f32([2, 3, 4]) };
const x34 = { x: f32([3, 4]) };
const image = (channels: number, nOut: number, size: number) => ({
  x: f32([2, 6, 5, channels]),
  w: f32([size, size, channels, nOut]),
});
const none: Pick<OpCase, "by"> = { by: [] };
const four = (x: unknown): Tensor4D => x as Tensor4D;

/** Reductions, products, convolutions and everything that moves elements: one line each. */
export const structureCases: readonly OpCase[] = [
  { name: "sum of many rows", inputs: { x: f32([300, 3]) }, f: ({ x }) => tf.sum(x!, 0), ...none },
  { name: "sum of many rows, kept", inputs: { x: f32([257, 2]) }, f: ({ x }) => tf.sum(x!, 0, true), ...none },
  { name: "sum of all", inputs: x234, f: ({ x }) => tf.sum(x!) },
  { name: "sum along an axis", inputs: x234, f: ({ x }) => tf.sum(x!, 1) },
  { name: "sum along axes, kept", inputs: x234, f: ({ x }) => tf.sum(x!, [0, -1], true) },
  { name: "sum of booleans", inputs: { x: bool([3, 4]) }, f: ({ x }) => tf.sum(x!, 0) },
  { name: "mean of all", inputs: x234, f: ({ x }) => tf.mean(x!) },
  { name: "mean along axes", inputs: x234, f: ({ x }) => tf.mean(x!, [1, 2]) },
  { name: "max along an axis", inputs: x234, f: ({ x }) => tf.max(x!, 1) },
  { name: "min along an axis, kept", inputs: x234, f: ({ x }) => tf.min(x!, 2, true) },
  { name: "prod", inputs: x34, f: ({ x }) => tf.prod(x!, 0), ...none },
  { name: "all", inputs: { x: bool([4, 3]) }, f: ({ x }) => tf.all(x!, 0) },
  { name: "any", inputs: { x: bool([4, 3]) }, f: ({ x }) => tf.any(x!, 1) },
  { name: "argMax", inputs: x234, f: ({ x }) => tf.argMax(x!, 1), ...none },
  { name: "argMax of equals", inputs: { x: i32([4, 9], 0, 3) }, f: ({ x }) => tf.argMax(x!, 1) },
  { name: "argMin", inputs: x234, f: ({ x }) => tf.argMin(x!, -1), ...none },
  { name: "cumsum", inputs: x234, f: ({ x }) => tf.cumsum(x!, 2) },
  { name: "cumsum backwards, exclusive", inputs: x234, f: ({ x }) => tf.cumsum(x!, 2, true, true) },
  // tfjs transposes the gradient of every cumsum but the one along the last axis.
  { name: "cumsum along the first axis", inputs: x34, f: ({ x }) => tf.cumsum(x!, 0), hasEagerGradient: false },
  { name: "softmax", inputs: x234, f: ({ x }) => tf.softmax(x!) },
  { name: "tf.logSoftmax", inputs: x234, f: ({ x }) => tf.logSoftmax(x!) },
  { name: "logSumExp", inputs: x234, f: ({ x }) => tf.logSumExp(x!, 1) },
  { name: "moments", inputs: x234, f: ({ x }) => tf.moments(x!, -1).variance },
  { name: "topk values", inputs: x34, f: ({ x }) => tf.topk(x!, 3).values, ...none },
  { name: "topk indices of equals", inputs: { x: i32([3, 9], 0, 4) }, f: ({ x }) => tf.topk(x!, 4).indices },

  { name: "matMul", inputs: { a: f32([3, 4]), b: f32([4, 2]) }, f: ({ a, b }) => tf.matMul(a!, b!) },
  {
    name: "matMul of transposes",
    inputs: { a: f32([4, 3]), b: f32([2, 4]) },
    f: ({ a, b }) => tf.matMul(a!, b!, true, true),
  },
  {
    name: "matMul with the right transposed",
    inputs: { a: f32([3, 4]), b: f32([2, 4]) },
    f: ({ a, b }) => tf.matMul(a!, b!, false, true),
  },
  {
    name: "matMul with the left transposed",
    inputs: { a: f32([4, 3]), b: f32([4, 2]) },
    f: ({ a, b }) => tf.matMul(a!, b!, true),
  },
  {
    name: "matMul of a transpose",
    inputs: { a: f32([4, 3]), b: f32([4, 2]) },
    f: ({ a, b }) => tf.matMul(tf.transpose(a!), b!),
  },
  { name: "batched matMul", inputs: { a: f32([2, 3, 4]), b: f32([2, 4, 5]) }, f: ({ a, b }) => tf.matMul(a!, b!) },
  {
    name: "batched matMul, right transposed",
    inputs: { a: f32([2, 3, 4]), b: f32([2, 5, 4]) },
    f: ({ a, b }) => tf.matMul(a!, b!, false, true),
  },
  {
    name: "batched matMul, both transposed",
    inputs: { a: f32([2, 2, 4, 3]), b: f32([2, 2, 5, 4]) },
    f: ({ a, b }) => tf.matMul(a!, b!, true, true),
  },
  { name: "dot", inputs: { a: f32([4]), b: f32([4]) }, f: ({ a, b }) => tf.dot(a!, b!) },
  {
    name: "outerProduct",
    inputs: { a: f32([4]), b: f32([3]) },
    f: ({ a, b }) => tf.outerProduct(a as Tensor1D, b as Tensor1D),
  },

  { name: "reshape", inputs: x234, f: ({ x }) => tf.reshape(x!, [4, -1]) },
  { name: "expandDims and squeeze", inputs: x34, f: ({ x }) => tf.squeeze(tf.expandDims(x!, 1), [1]) },
  { name: "transpose", inputs: x234, f: ({ x }) => tf.transpose(x!, [2, 0, 1]) },
  {
    name: "transpose of a transpose",
    inputs: x234,
    f: ({ x }) => tf.transpose(tf.transpose(x!, [2, 0, 1]), [1, 2, 0]),
  },
  { name: "concat", inputs: { a: f32([2, 3]), b: f32([2, 1]) }, f: ({ a, b }) => tf.concat([a!, b!, a!], -1) },
  { name: "stack", inputs: { a: f32([2, 3]), b: f32([2, 3]) }, f: ({ a, b }) => tf.stack([a!, b!], 1) },
  { name: "unstack", inputs: x234, f: ({ x }) => tf.unstack(x!, 1)[1]! },
  {
    name: "split",
    inputs: { x: f32([2, 6]) },
    f: ({ x }) => tf.mul(tf.split(x!, 3, 1)[0]!, tf.split(x!, [2, 3, 1], 1)[0]!),
  },
  { name: "slice", inputs: x234, f: ({ x }) => tf.slice(x!, [1, 0, 1], [1, 2, 2]) },
  { name: "stridedSlice", inputs: x34, f: ({ x }) => tf.stridedSlice(x!, [0, 3], [3, 0], [2, -1]), ...none },
  { name: "reverse", inputs: x234, f: ({ x }) => tf.reverse(x!, [0, 2]) },
  { name: "pad", inputs: x34, f: ({ x }) => tf.pad(x!, [[1, 0], [0, 2]], 0.5) }, // biome-ignore format: one line
  { name: "mirrorPad", inputs: x34, f: ({ x }) => tf.mirrorPad(x!, [[1, 0], [0, 2]], "reflect"), ...none }, // biome-ignore format: one line
  { name: "tile", inputs: { x: f32([2, 3]) }, f: ({ x }) => tf.tile(x!, [2, 3]) },
  { name: "broadcastTo", inputs: { x: f32([3, 1]) }, f: ({ x }) => tf.broadcastTo(x!, [2, 3, 4]) },
  { name: "zerosLike and onesLike", inputs: x34, f: ({ x }) => tf.add(tf.onesLike(x!), tf.zerosLike(x!)), ...none },
  { name: "fill", inputs: x34, f: ({ x }) => tf.mul(x!, tf.fill([3, 4], 2.5)) },
  { name: "range", inputs: { x: f32([7]) }, f: ({ x }) => tf.mul(x!, tf.range(0, 7, 1, "float32")) },
  { name: "oneHot", inputs: { x: i32([2, 3], -1, 5) }, f: ({ x }) => tf.oneHot(x!, 4) },
  {
    name: "oneHot with other values",
    inputs: { x: i32([5], 0, 4) },
    f: ({ x }) => tf.oneHot(x as Tensor1D, 4, 0.9, 0.1, "float32"),
  },

  { name: "gather rows", inputs: { x: f32([5, 3]), i: i32([7], 0, 5) }, f: ({ x, i }) => tf.gather(x!, i as Tensor1D) },
  {
    name: "gather with a matrix of indices",
    inputs: { x: f32([5, 3]), i: i32([2, 4], 0, 5) },
    f: ({ x, i }) => tf.gather(x!, i as Tensor2D),
  },
  {
    name: "gather columns",
    inputs: { x: f32([3, 5]), i: i32([4], 0, 5) },
    f: ({ x, i }) => tf.gather(x!, i as Tensor1D, 1),
  },
  { name: "gatherND", inputs: { x: f32([4, 3]), i: i32([5, 2], 0, 3) }, f: ({ x, i }) => tf.gatherND(x!, i!), ...none },
  {
    name: "scatterND",
    inputs: { x: f32([6, 2]), i: i32([6, 1], 0, 4) },
    f: ({ x, i }) => tf.scatterND(i!, x!, [4, 2]),
    ...none,
  },
  {
    name: "unsortedSegmentSum",
    inputs: { x: f32([6, 2]), i: i32([6], 0, 4) },
    f: ({ x, i }) => tf.unsortedSegmentSum(x!, i as Tensor1D, 4),
  },

  {
    name: "conv1d",
    inputs: { x: f32([2, 7, 3]), w: f32([3, 3, 2]) },
    f: ({ x, w }) => tf.conv1d(x as Tensor3D, w as Tensor3D, 1, "same"),
  },
  { name: "conv2d same", inputs: image(2, 3, 3), f: ({ x, w }) => tf.conv2d(four(x), four(w), 1, "same") },
  { name: "conv2d valid, stride 2", inputs: image(2, 3, 3), f: ({ x, w }) => tf.conv2d(four(x), four(w), 2, "valid") },
  {
    name: "conv2d same, stride 2",
    inputs: image(2, 3, 2),
    f: ({ x, w }) => tf.conv2d(four(x), four(w), [2, 1], "same"),
  },
  {
    name: "conv2d padded, dilated",
    inputs: image(2, 1, 2),
    f: ({ x, w }) => tf.conv2d(four(x), four(w), 1, 1, "NHWC", 2),
    ...none,
  },
  {
    name: "depthwiseConv2d same",
    inputs: image(3, 1, 3),
    f: ({ x, w }) => tf.depthwiseConv2d(four(x), four(w), 1, "same"),
  },
  {
    name: "depthwiseConv2d with a multiplier",
    inputs: image(3, 2, 3),
    f: ({ x, w }) => tf.depthwiseConv2d(four(x), four(w), 1, "valid"),
  },
  {
    name: "depthwiseConv2d along rows",
    inputs: { x: f32([1, 9, 1, 4]), w: f32([5, 1, 4, 1]) },
    f: ({ x, w }) => tf.depthwiseConv2d(four(x), four(w), 1, "same"),
  },
];
