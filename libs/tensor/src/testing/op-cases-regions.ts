import { convolveRows } from "../operations/convolve-rows.ts";
import { convolveTokens } from "../operations/convolve-tokens.ts";
import { cosineDistance } from "../operations/cosine-distance.ts";
import { lookupRows } from "../operations/lookup-rows.ts";
import { maskedAttention } from "../operations/masked-attention.ts";
import { placeRows, takeRows } from "../operations/place-rows.ts";
import { productsWithRows } from "../operations/products-with-rows.ts";
import { regionAttention } from "../operations/region-attention.ts";
import { repeatRows } from "../operations/repeat-rows.ts";
import { scaleToRange } from "../operations/scale-to-range.ts";
import { scanBlocks } from "../operations/scan-blocks.ts";
import { swishProduct } from "../operations/swish-product.ts";
import { tf } from "../tf.ts";
import { f32, i32, type OpCase } from "./op-case.ts";

/** Three rows among five places. */
const placement = () => ({
  source: tf.tensor1d([3, 1, 3, 0, 2], "int32"),
  place: tf.tensor1d([3, 1, 4], "int32"),
});
/** Three rows among seven places; the second lies at two, two places are empty. */
const repetition = () => ({
  source: tf.tensor1d([3, 1, 0, 1, 3, 2, 3], "int32"),
  place: tf.tensor1d([2, 1, 5], "int32"),
  again: tf.tensor1d([7, 3, 7], "int32"),
});
const gaps = () => tf.tensor2d([[0, 0, 1, 0, 1, 0]]);

/** Ten tiles in four regions of three places, two of which are empty; one region has a single tile. */
const regionPlaces = () => ({
  index: tf.tensor1d([2, 0, 1, 4, 3, 0, 5, 6, 7, 8, 9, 0], "int32"),
  filled: tf.tensor2d([1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0], [12, 1]),
  place: tf.tensor1d([1, 2, 0, 4, 3, 6, 7, 8, 9, 10], "int32"),
});

type Named = Readonly<Record<string, tf.Tensor>>;

function attendInRegions(tensors: Named, isMasked: boolean): tf.Tensor {
  const layer = (name: string) => ({
    weight: tensors[`w${name}`] as tf.Tensor2D,
    bias: tensors[`b${name}`] as tf.Tensor1D,
  });
  const layers = { query: layer("q"), key: layer("k"), value: layer("v") };
  const options = { heads: 2, nPlaces: 3, nSteps: 2, isMasked, taps: tensors.taps as tf.Tensor2D | undefined };
  return regionAttention(tensors.x as tf.Tensor2D, layers, regionPlaces(), options);
}

const regionInputs = {
  x: f32([10, 5], -1, 1),
  ...{
    wq: f32([6, 5], -1, 1),
    bq: f32([6]),
    wk: f32([6, 5], -1, 1),
    bk: f32([6]),
    wv: f32([6, 5], -1, 1),
    bv: f32([6]),
  },
};
const regionTaps = { taps: f32([2, 5], -1, 1) };

/** Operations of attention in regions: one line each. */
export const regionCases: readonly OpCase[] = [
  { name: "placeRows", inputs: { x: f32([3, 4]) }, f: ({ x }) => placeRows(x!, placement()) },
  { name: "takeRows", inputs: { x: f32([5, 4]) }, f: ({ x }) => takeRows(x!, placement()) },
  { name: "repeatRows", inputs: { x: f32([3, 4]) }, f: ({ x }) => repeatRows(x!, repetition()) },
  {
    name: "convolveTokens",
    inputs: { x: f32([2, 7, 6]), k: f32([3, 5]) },
    f: ({ x, k }) => convolveTokens(x!, k!),
  },
  {
    name: "convolveRows",
    inputs: { x: f32([8, 6]), k: f32([3, 5]) },
    f: ({ x, k }) => convolveRows(x as tf.Tensor2D, k as tf.Tensor2D, 2),
  },
  {
    name: "convolveRows with more taps than rows of a block",
    inputs: { x: f32([6, 4]), k: f32([2, 9]) },
    f: ({ x, k }) => convolveRows(x as tf.Tensor2D, k as tf.Tensor2D, 3),
  },
  {
    name: "convolveTokens with more taps than tokens",
    inputs: { x: f32([3, 2, 4]), k: f32([2, 7]) },
    f: ({ x, k }) => convolveTokens(x!, k!),
  },
  { name: "regionAttention", inputs: regionInputs, f: (tensors) => attendInRegions(tensors, false) },
  {
    name: "regionAttention with taps",
    inputs: { ...regionInputs, ...regionTaps },
    f: (tensors) => attendInRegions(tensors, false),
  },
  { name: "regionAttention with gaps", inputs: regionInputs, f: (tensors) => attendInRegions(tensors, true) },
  {
    name: "regionAttention with taps and gaps",
    inputs: { ...regionInputs, ...regionTaps },
    f: (tensors) => attendInRegions(tensors, true),
  },
  { name: "scaleToRange", inputs: { x: f32([2, 3, 6], -2, 2) }, f: ({ x }) => scaleToRange(x!, 1e-8) },
  { name: "scaleToRange with gaps", inputs: { x: f32([3, 6], -2, 2) }, f: ({ x }) => scaleToRange(x!, 1e-3, gaps()) },
  {
    name: "lookupRows",
    inputs: { t: f32([3, 4]), i: i32([5], 0, 3) },
    f: ({ t, i }) => lookupRows(t!, i!),
    by: ["t"],
  },
  {
    name: "productsWithRows",
    inputs: { x: f32([5, 3]), i: i32([4], 0, 5) },
    f: ({ x, i }) => productsWithRows(x!, i!),
    by: ["x"],
  },
  {
    name: "scanBlocks",
    inputs: { x: f32([3, 4]), w: f32([2, 4]) },
    f: ({ x, w }) => {
      const { stacked, summed } = scanBlocks([x!], ([row]) => {
        const product = tf.mul(row!, w!); // [2, 4]
        return { stacked: [row!, product], summed: [tf.square(product)] };
      });
      return tf.add(tf.add(stacked[1]!, summed[0]!), tf.expandDims(stacked[0]!, 1));
    },
    by: [],
  },
  {
    name: "scanBlocks, products added up",
    inputs: { x: f32([3, 2, 4]), w: f32([3, 2, 5]) },
    f: ({ x, w }) => {
      const { summed } = scanBlocks([x!, w!], ([a, b]) => ({ stacked: [a!], summed: [tf.matMul(a!, b!, true)] }));
      return summed[0]!;
    },
    by: [],
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
