import type { BodyGraph, BodyNode } from "../capture/body.ts";
import { blockRows, countRows, divideRows, joinRows, mostRows, ROW_INTEGERS } from "./row-blocks.ts";

// Legend: N rows, b rows of a block, W width, H hidden width. All bodies run once, as a `Scan` of one step over [1, N, W]: only
// inside a body may the number of blocks follow from N.

/** Most rows of a block: b·H numbers of a usual layer (512 to 2048) are 2 MB, which stay in a core's cache between operators. */
const ROWS_PER_BLOCK = 256;

const f32 = (names: readonly string[]) => names.map((name) => ({ name, dtype: "f32" as const }));

const WEIGHTS = ["w1", "b1", "w2"];

const FORWARD_BLOCK: BodyGraph = {
  name: "block",
  inputs: f32(["x.block"]),
  outputs: f32(["y.block"]),
  nodes: [
    { op: "Gemm", inputs: ["x.block", "w1", "b1"], outputs: ["h"], attributes: { transB: 1 } }, // [b, H]
    { op: "Gelu", inputs: ["h"], outputs: ["a"], attributes: { approximate: "tanh" } }, // [b, H]
    { op: "Gemm", inputs: ["a", "w2", "b2"], outputs: ["y.block"], attributes: { transB: 1 } }, // [b, W]
  ],
};

/** The layer's value: captures `w1` [H, W], `b1` [H], `w2` [W, H], `b2` [W]. */
export function mlpBody(width: number): BodyGraph {
  return {
    name: "rows",
    inputs: f32(["x"]),
    outputs: f32(["y"]),
    nodes: [
      ...countRows("x"),
      ...divideRows("block"),
      ...blockRows("x", "block"),
      {
        op: "Scan",
        inputs: ["x.blocks"],
        outputs: ["y.blocks"],
        attributes: { body: FORWARD_BLOCK, num_scan_inputs: 1 },
      },
      ...joinRows("y", "joined"),
    ],
    integers: { ...ROW_INTEGERS, ...mostRows("block", ROWS_PER_BLOCK), joined: [-1, width] },
    captures: [...WEIGHTS, "b2"],
  };
}

const SCALE = Math.sqrt(2 / Math.PI);
const CUBIC = 0.044_715;

/** a = h·s with s = (1 + tanh u)/2, u = √(2/π)(h + 0.044715 h³); g = s + h·u'·(1 - tanh² u)/2 is its slope. */
const GELU_AND_SLOPE: readonly BodyNode[] = [
  { op: "Mul", inputs: ["h", "h"], outputs: ["h.square"] },
  { op: "Mul", inputs: ["h.square", "scaled.cubic"], outputs: ["u.part"] },
  { op: "Add", inputs: ["u.part", "scale"], outputs: ["u.factor"] },
  { op: "Mul", inputs: ["u.factor", "h"], outputs: ["u"] },
  { op: "Tanh", inputs: ["u"], outputs: ["t"] },
  { op: "Mul", inputs: ["t", "half"], outputs: ["t.half"] },
  { op: "Add", inputs: ["t.half", "half"], outputs: ["s"] },
  { op: "Mul", inputs: ["h", "s"], outputs: ["a"] },
  { op: "Mul", inputs: ["t", "t.half"], outputs: ["t.square"] },
  { op: "Sub", inputs: ["half", "t.square"], outputs: ["bend"] },
  { op: "Mul", inputs: ["h.square", "triple.cubic"], outputs: ["slope.part"] },
  { op: "Add", inputs: ["slope.part", "scale"], outputs: ["slope"] },
  { op: "Mul", inputs: ["slope", "h"], outputs: ["slope.h"] },
  { op: "Mul", inputs: ["slope.h", "bend"], outputs: ["g.part"] },
  { op: "Add", inputs: ["g.part", "s"], outputs: ["g"] },
];

/** Computes the hidden layer again, so that none of it is kept for the gradient. */
const BACKWARD_BLOCK: BodyGraph = {
  name: "block",
  inputs: f32(["dw1.before", "db1.before", "dw2.before", "x.block", "dy.block"]),
  outputs: f32(["dw1.after", "db1.after", "dw2.after", "dx.block"]),
  nodes: [
    { op: "Gemm", inputs: ["x.block", "w1", "b1"], outputs: ["h"], attributes: { transB: 1 } }, // [b, H]
    ...GELU_AND_SLOPE,
    { op: "Gemm", inputs: ["dy.block", "w2"], outputs: ["da"] }, // [b, H]
    { op: "Mul", inputs: ["da", "g"], outputs: ["dh"] },
    { op: "Gemm", inputs: ["dh", "w1"], outputs: ["dx.block"] }, // [b, W]
    { op: "Gemm", inputs: ["dh", "x.block", "dw1.before"], outputs: ["dw1.after"], attributes: { transA: 1 } }, // [H, W]
    { op: "ReduceSum", inputs: ["dh", "none"], outputs: ["db1.block"], attributes: { keepdims: 0 } },
    { op: "Add", inputs: ["db1.before", "db1.block"], outputs: ["db1.after"] },
    { op: "Gemm", inputs: ["dy.block", "a", "dw2.before"], outputs: ["dw2.after"], attributes: { transA: 1 } }, // [W, H]
  ],
  floats: { half: 0.5, scale: SCALE, "scaled.cubic": SCALE * CUBIC, "triple.cubic": 3 * SCALE * CUBIC },
};

/** Gradients by x and the weights from `x`, `dy` [N, W]; captures `w1`, `b1`, `w2`. Rows that fill up have a `dy` of zero. */
export function mlpGradientBody(width: number): BodyGraph {
  return {
    name: "rows",
    inputs: f32(["x", "dy"]),
    outputs: f32(["dx", "dw1", "db1", "dw2"]),
    nodes: [
      ...countRows("x"),
      ...divideRows("block"),
      ...blockRows("x", "block"),
      ...blockRows("dy", "block"),
      ...WEIGHTS.flatMap((name): BodyNode[] => [
        { op: "Shape", inputs: [name], outputs: [`${name}.shape`] },
        { op: "ConstantOfShape", inputs: [`${name}.shape`], outputs: [`${name}.zeros`] },
      ]),
      {
        op: "Scan",
        inputs: [...WEIGHTS.map((name) => `${name}.zeros`), "x.blocks", "dy.blocks"],
        outputs: ["dw1", "db1", "dw2", "dx.blocks"],
        attributes: { body: BACKWARD_BLOCK, num_scan_inputs: 2 },
      },
      ...joinRows("dx", "joined"),
    ],
    integers: { ...ROW_INTEGERS, ...mostRows("block", ROWS_PER_BLOCK), joined: [-1, width] },
    captures: WEIGHTS,
  };
}
