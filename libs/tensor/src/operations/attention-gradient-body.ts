import type { BodyGraph } from "../capture/body.ts";
import { blockIntegers, blockRows, countRows, joinRows } from "./row-blocks.ts";

// Legend: N tiles, d head width, b queries of a block. `v1` [N, d+1] are the values and a column of ones, `do1` [N, d+1] the
// output's gradient and a column of -D with D = dO · O: their product is dO Vᵀ - D without a pass of its own.

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
 * The body of a `Scan` over heads: `q` (scaled), `k` [N, d], `v1`, `do1` [N, d+1] to the gradients of scores·values by `q`, `k`
 * and `v`, [N, d] each. Queries go in blocks of `queryBlock`, so that b·N weights exist at a time; rows of zeros that fill up the
 * last block add nothing, because their output's gradient is zero.
 *
 * Source: the recurrence of memory-efficient attention (Rabe and Staats 2021; Dao et al. 2022, algorithm 4).
 */
export function attentionGradientBody(depth: number, queryBlock: number): BodyGraph {
  return {
    name: "head",
    inputs: ["q", "k", "v1", "do1"].map((name) => ({ name, dtype: "f32" })),
    outputs: ["dq", "dk", "dv"].map((name) => ({ name, dtype: "f32" })),
    nodes: [
      ...countRows("q"),
      ...blockRows("q", "q.shape"), // [N/b, b, d]
      ...blockRows("do1", "do1.shape"), // [N/b, b, d+1]
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
    integers: {
      ...blockIntegers(queryBlock),
      "q.shape": [-1, queryBlock, depth],
      "do1.shape": [-1, queryBlock, depth + 1],
      "dq.shape": [-1, depth],
    },
  };
}
