import { convolveTokens } from "../operations/convolve-tokens.ts";
import { placeRows, takeRows } from "../operations/place-rows.ts";
import { scaleToRange } from "../operations/scale-to-range.ts";
import { tf } from "../tf.ts";
import { f32, type OpCase } from "./op-case.ts";

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
];
