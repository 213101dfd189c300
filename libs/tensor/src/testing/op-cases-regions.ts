import { convolveTokens } from "../operations/convolve-tokens.ts";
import { cosineDistance } from "../operations/cosine-distance.ts";
import { lookupRows } from "../operations/lookup-rows.ts";
import { maskedAttention } from "../operations/masked-attention.ts";
import { placeRows, takeRows } from "../operations/place-rows.ts";
import { scaleToRange } from "../operations/scale-to-range.ts";
import { swishProduct } from "../operations/swish-product.ts";
import { tf } from "../tf.ts";
import { f32, i32, type OpCase } from "./op-case.ts";

/** Three rows among five places. */
const placement = () => ({
  source: tf.tensor1d([3, 1, 3, 0, 2], "int32"),
  place: tf.tensor1d([3, 1, 4], "int32"),
});
const gaps = () => tf.tensor2d([[0, 0, 1, 0, 1, 0]]);

/** Operations of attention in regions: one line each. */
export const regionCases: readonly OpCase[] = [
  { name: "placeRows", inputs: { x: f32([3, 4]) }, f: ({ x }) => placeRows(x!, placement()) },
  { name: "takeRows", inputs: { x: f32([5, 4]) }, f: ({ x }) => takeRows(x!, placement()) },
  {
    name: "convolveTokens",
    inputs: { x: f32([2, 7, 6]), k: f32([3, 5]) },
    f: ({ x, k }) => convolveTokens(x!, k!),
  },
  {
    name: "convolveTokens with more taps than tokens",
    inputs: { x: f32([3, 2, 4]), k: f32([2, 7]) },
    f: ({ x, k }) => convolveTokens(x!, k!),
  },
  { name: "scaleToRange", inputs: { x: f32([2, 3, 6], -2, 2) }, f: ({ x }) => scaleToRange(x!, 1e-8) },
  { name: "scaleToRange with gaps", inputs: { x: f32([3, 6], -2, 2) }, f: ({ x }) => scaleToRange(x!, 1e-3, gaps()) },
  {
    name: "lookupRows",
    inputs: { t: f32([3, 4]), i: i32([5], 0, 3) },
    f: ({ t, i }) => lookupRows(t!, i!),
    by: ["t"],
  },
  { name: "swishProduct", inputs: { g: f32([3, 4], -4, 4), u: f32([3, 4]) }, f: ({ g, u }) => swishProduct(g!, u!) },
  { name: "cosineDistance", inputs: { a: f32([3, 5]), b: f32([3, 5]) }, f: ({ a, b }) => cosineDistance(a!, b!) },
  {
    name: "cosineDistance of short rows",
    inputs: { a: f32([3, 5]), b: f32([3, 5], -0.1, 0.1) },
    f: ({ a, b }) => cosineDistance(a!, b!, 0.5),
  },
  {
    name: "masked attention",
    inputs: { q: f32([2, 3, 6], -2, 2), k: f32([2, 4, 6], -2, 2), v: f32([2, 4, 6]) },
    f: ({ q, k, v }) => maskedAttention(q!, k!, v!, tf.tensor2d([[1, 0, 1, 1], [0, 1, 1, 0]], [2, 4], "int32"), { heads: 2 }), // biome-ignore format: one line
  },
];
