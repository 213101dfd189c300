import type { BodyGraph, BodyNode } from "../capture/body.ts";
import { type AttentionTilesOptions, attentionTilesBody } from "./attention-tiles-body.ts";
import { blockRows, countRows, divideRows, joinRows, mostRows, ROW_INTEGERS } from "./row-blocks.ts";

// Legend: N tiles, d head width, b queries of a block. `v1` [N, d+1] are the values and a column of ones, `do1` [N, d+1] the
// output's gradient and a column of -D with D = dO · O: their product is dO Vᵀ - D without a pass of its own.

const f32 = (...names: readonly string[]) => names.map((name) => ({ name, dtype: "f32" as const }));

/** One block of queries: its own gradient, and what it adds to those of keys and values. */
const BLOCK: BodyGraph = {
  name: "block",
  inputs: [
    { name: "dk.before", dtype: "f32" },
    { name: "dv.before", dtype: "f32" },
    { name: "q.block", dtype: "f32" },
    { name: "do1.block", dtype: "f32" },
  ],
  outputs: [
    { name: "dk.after", dtype: "f32" },
    { name: "dv.after", dtype: "f32" },
    { name: "dq.block", dtype: "f32" },
  ],
  nodes: [
    { op: "Gemm", inputs: ["q.block", "k"], outputs: ["scores"], attributes: { transB: 1 } }, // [b, N]
    { op: "Softmax", inputs: ["scores"], outputs: ["p"], attributes: { axis: 1 } }, // [b, N]
    { op: "Gemm", inputs: ["do1.block", "v1"], outputs: ["slopes"], attributes: { transB: 1 } }, // [b, N]
    { op: "Mul", inputs: ["p", "slopes"], outputs: ["ds"] }, // [b, N]
    { op: "Gemm", inputs: ["ds", "k"], outputs: ["dq.block"] }, // [b, d]
    { op: "Gemm", inputs: ["ds", "q.block", "dk.before"], outputs: ["dk.after"], attributes: { transA: 1 } }, // [N, d]
    { op: "Slice", inputs: ["do1.block", "first", "last", "columns"], outputs: ["do.block"] }, // [b, d]
    { op: "Gemm", inputs: ["p", "do.block", "dv.before"], outputs: ["dv.after"], attributes: { transA: 1 } }, // [N, d]
  ],
  integers: { first: [0], last: [-1], columns: [1] },
};

/**
 * The body of a `Scan` over heads, for any scores: `q` (scaled), `k` [N, d], `v1`, `do1` [N, d+1] to the gradients by `q`, `k`
 * and `v`, [N, d] each. Queries go in blocks of `queryBlock`, so that b·N weights exist at a time; rows of zeros that fill up
 * the last block add nothing, because their output's gradient is zero.
 */
function headBody(depth: number, queryBlock: number): BodyGraph {
  return {
    name: "head",
    inputs: f32("q", "k", "v1", "do1"),
    outputs: f32("dq", "dk", "dv"),
    nodes: [
      ...countRows("q"),
      ...divideRows("block"),
      ...blockRows("q", "block"), // [B, b, d]
      ...blockRows("do1", "block"), // [B, b, d+1]
      { op: "Shape", inputs: ["k"], outputs: ["k.shape"] },
      { op: "ConstantOfShape", inputs: ["k.shape"], outputs: ["zeros"] }, // [N, d]
      {
        op: "Scan",
        inputs: ["zeros", "zeros", "q.blocks", "do1.blocks"],
        outputs: ["dk", "dv", "dq.blocks"],
        attributes: { body: BLOCK, num_scan_inputs: 2 },
      },
      ...joinRows("dq", "dq.shape"), // [N, d]
    ],
    integers: { ...ROW_INTEGERS, ...mostRows("block", queryBlock), "dq.shape": [-1, depth] },
  };
}

/** The other branch: a `Scan` over the heads of a group, with its inputs read around it. */
function headsBody({ depth, queryBlock }: AttentionTilesOptions): BodyGraph {
  return {
    name: "heads",
    inputs: [],
    outputs: f32("dq.heads", "dk.heads", "dv.heads"),
    nodes: [
      {
        op: "Scan",
        inputs: ["q.heads", "k.heads", "v1.heads", "do1.heads"],
        outputs: ["dq.heads", "dk.heads", "dv.heads"],
        attributes: { body: headBody(depth, queryBlock), num_scan_inputs: 4 },
      },
    ],
  };
}

/** Scores of at most 75 have exponentials from 2.7e-33 to 3.7e32, whose sum over a hundred thousand keys is a number of f32. */
const GREATEST_SCORE = 75;

/** `is.small`: whether no score of the group can be greater, as |q·k| is at most |q| |k|. */
function compareScores(): BodyNode[] {
  const greatest = (x: string): BodyNode[] => [
    { op: "ReduceSumSquare", inputs: [x, "last.axis"], outputs: [`${x}.squares`] }, // [G, N, 1]
    { op: "ReduceMax", inputs: [`${x}.squares`], outputs: [`${x}.greatest`], attributes: { keepdims: 0 } },
  ];
  return [
    ...greatest("q.heads"),
    ...greatest("k.heads"),
    { op: "Mul", inputs: ["q.heads.greatest", "k.heads.greatest"], outputs: ["bound"] },
    { op: "Less", inputs: ["bound", "small"], outputs: ["is.small"] },
  ];
}

/**
 * The body of a `Scan` over groups of G heads: `q` (scaled), `k` [G, N, d], `v1`, `do1` [G, N, d+1] to the gradients of
 * scores·values by `q`, `k` and `v`, [G, N, d] each. Weights are exponentials of scores over their sum; where those could
 * leave f32, the greatest score of each query is taken off first, row after row of weights, which takes longer.
 *
 * Source: the recurrence of memory-efficient attention (Rabe and Staats 2021; Dao et al. 2022, algorithm 4).
 */
export function attentionGradientBody(options: AttentionTilesOptions): BodyGraph {
  return {
    name: "group",
    inputs: f32("q.heads", "k.heads", "v1.heads", "do1.heads"),
    outputs: f32("dq.group", "dk.group", "dv.group"),
    nodes: [
      ...compareScores(),
      {
        op: "If",
        inputs: ["is.small"],
        outputs: ["dq.group", "dk.group", "dv.group"],
        attributes: { then_branch: attentionTilesBody(options), else_branch: headsBody(options) },
      },
    ],
    integers: { "last.axis": [-1] },
    floats: { small: GREATEST_SCORE ** 2 },
  };
}
