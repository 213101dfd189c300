import { dropout } from "../operations/dropout.ts";
import { expandTo } from "../operations/expand.ts";
import { gelu } from "../operations/gelu.ts";
import { gridAngles } from "../operations/grid-angles.ts";
import { layerNorm } from "../operations/layer-norm.ts";
import { linear } from "../operations/linear.ts";
import { logSoftmax, sigmoidCrossEntropy, softmaxCrossEntropy } from "../operations/losses.ts";
import { maskPositive } from "../operations/mask-positive.ts";
import { multiHeadAttention } from "../operations/multi-head-attention.ts";
import { permuteRows } from "../operations/permute-rows.ts";
import { maxOverTiles, meanOverTiles, softmaxOverTiles, sumOverTiles } from "../operations/pooling.ts";
import { rotatePairs } from "../operations/rotate-pairs.ts";
import { sizeOf } from "../operations/size-of.ts";
import { streamedAttention } from "../operations/streamed-attention.ts";
import { tokenMlp } from "../operations/token-mlp.ts";
import { tf } from "../tf.ts";
import { f32, i32, type OpCase } from "./op-case.ts";

const tiles = { x: f32([7, 3], -2, 2) };
const logits = { x: f32([2, 3], -4, 4), t: f32([2, 3], 0, 1) };
const normed = { x: f32([2, 3, 5]), g: f32([5], 0.5, 1.5), s: f32([5]) };
const words = { x: f32([4, 5]), u: i32([4, 5], 0, 65_536) };

/** Operations with gradients of their own: one line each. */
export const operationCases: readonly OpCase[] = [
  { name: "linear", inputs: { x: f32([3, 4]), w: f32([2, 4]), b: f32([2]) }, f: ({ x, w, b }) => linear(x!, w!, b!) },
  { name: "linear without bias", inputs: { x: f32([3, 4]), w: f32([2, 4]) }, f: ({ x, w }) => linear(x!, w!) },
  {
    name: "linear on rank 3",
    inputs: { x: f32([2, 3, 4]), w: f32([2, 4]), b: f32([2]) },
    f: ({ x, w, b }) => linear(x!, w!, b!),
  },
  { name: "layerNorm", inputs: normed, f: ({ x, g, s }) => layerNorm(x!, g!, s!) },
  { name: "layerNorm with a large epsilon", inputs: normed, f: ({ x, g, s }) => layerNorm(x!, g!, s!, 0.1) },
  { name: "softmaxOverTiles", inputs: tiles, f: ({ x }) => softmaxOverTiles(x!) },
  { name: "softmaxOverTiles with one branch", inputs: { x: f32([9, 1], -2, 2) }, f: ({ x }) => softmaxOverTiles(x!) },
  { name: "maxOverTiles", inputs: tiles, f: ({ x }) => maxOverTiles(x!) },
  { name: "meanOverTiles", inputs: tiles, f: ({ x }) => meanOverTiles(x!) },
  { name: "sumOverTiles", inputs: tiles, f: ({ x }) => sumOverTiles(x!) },
  { name: "logSoftmax", inputs: { x: f32([2, 3], -4, 4) }, f: ({ x }) => logSoftmax(x!) },
  { name: "softmaxCrossEntropy", inputs: logits, f: ({ x, t }) => softmaxCrossEntropy(x!, t!) },
  { name: "sigmoidCrossEntropy", inputs: logits, f: ({ x, t }) => sigmoidCrossEntropy(x!, t!) },
  { name: "dropout", inputs: words, f: ({ x, u }) => dropout(x!, u!, 0.7) },
  { name: "dropout that keeps all", inputs: words, f: ({ x, u }) => tf.mul(dropout(x!, u!, 1), 2) },
  { name: "gelu", inputs: { x: f32([3, 4], -3, 3) }, f: ({ x }) => gelu(x!) },
  { name: "gelu by tanh", inputs: { x: f32([3, 4], -3, 3) }, f: ({ x }) => gelu(x!, { form: "tanh" }) },
  {
    name: "attention",
    inputs: { q: f32([2, 5, 6]), k: f32([2, 4, 6]), v: f32([2, 4, 6]) },
    f: ({ q, k, v }) => multiHeadAttention(q!, k!, v!, { heads: 3 }),
  },
  {
    name: "attention in blocks of queries",
    inputs: { q: f32([2, 5, 6]), k: f32([2, 4, 6]), v: f32([2, 4, 6]) },
    f: ({ q, k, v }) => multiHeadAttention(q!, k!, v!, { heads: 2, queryBlock: 2 }),
  },
  ...[2, 5, 7].map((queryBlock) => ({
    name: `streamed attention in blocks of ${queryBlock} queries`,
    inputs: { q: f32([1, 5, 6], -2, 2), k: f32([1, 5, 6], -2, 2), v: f32([1, 5, 6]) },
    f: ({ q, k, v }: Parameters<OpCase["f"]>[0]) => streamedAttention(q!, k!, v!, { heads: 3, queryBlock }),
  })),
  {
    name: "tokenMlp",
    inputs: { x: f32([5, 3], -2, 2), v: f32([4, 3]), b: f32([4]), w: f32([3, 4]), c: f32([3]) },
    f: ({ x, v, b, w, c }) => tokenMlp(x!, v!, b!, w!, c!),
  },
  {
    name: "rotatePairs",
    inputs: { x: f32([1, 3, 8]), c: f32([3, 2]), s: f32([3, 2]) },
    f: ({ x, c, s }) => rotatePairs(x!, c!, s!, 2),
    by: ["x"],
  },
  {
    name: "gridAngles",
    inputs: { g: i32([4, 2], -262_143, 262_144) },
    f: ({ g }) => gridAngles(g!, { steps: [1, 214, 3_000_000_001], stepsPerTurn: 2 ** 40 }),
    by: [],
  },
  {
    name: "permuteRows",
    inputs: { x: f32([4, 3]) },
    f: ({ x }) => permuteRows(x!, tf.tensor1d([2, 0, 3, 1], "int32"), tf.tensor1d([1, 3, 0, 2], "int32")),
  },
  { name: "expandTo", inputs: { x: f32([3, 1]) }, f: ({ x }) => tf.cumsum(expandTo(x!, [2, 3, 4]), 2) },
  { name: "sizeOf", inputs: tiles, f: ({ x }) => tf.div(x!, sizeOf(x!, 0)) },
  {
    name: "maskPositive",
    inputs: { x: f32([3, 4]), g: f32([3, 4]) },
    f: ({ x, g }) => maskPositive(x!, g!),
    by: ["x"],
  },
];
