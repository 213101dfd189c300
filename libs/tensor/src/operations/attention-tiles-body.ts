import type { BodyGraph, BodyNode } from "../capture/body.ts";
import { divideRows, mostRows, ROW_INTEGERS } from "./row-blocks.ts";

// Legend: N tiles of the slide, G heads, d head width, c keys of a part, b queries of a part, C and B their numbers. `x.parts` are
// [C, G, c, .] or [B, G, b, .], `xT.parts` the same with their last two axes exchanged.

const f32 = (...names: readonly string[]) => names.map((name) => ({ name, dtype: "f32" as const }));

/** Exponentials of the scores of one part of the keys, and their sums over the keys so far; `real` [G, 1, c] is 0 at filling. */
const WEIGH: BodyGraph = {
  name: "weigh",
  inputs: f32("sum.before", "wk", "real"),
  outputs: f32("sum.after", "e"),
  nodes: [
    { op: "MatMul", inputs: ["wk", "qT.part"], outputs: ["scores.part"] }, // [G, c, b]
    { op: "Exp", inputs: ["scores.part"], outputs: ["e"] }, // [G, c, b]
    { op: "MatMul", inputs: ["real", "e"], outputs: ["sum.part"] }, // [G, 1, b]
    { op: "Add", inputs: ["sum.before", "sum.part"], outputs: ["sum.after"] },
  ],
};

/** What one part of the keys gives to the gradient by the queries of the part, and what the queries give to its own. */
const SPREAD: BodyGraph = {
  name: "spread",
  inputs: f32("dqT.before", "e.part", "v1.part", "kT.part", "dk.part.before", "dv.part.before"),
  outputs: f32("dqT.after", "dk.part.after", "dv.part.after"),
  nodes: [
    { op: "MatMul", inputs: ["v1.part", "do1T.shared"], outputs: ["slopes.part"] }, // [G, c, b]
    { op: "Mul", inputs: ["e.part", "slopes.part"], outputs: ["ds.part"] }, // [G, c, b]
    { op: "MatMul", inputs: ["e.part", "do.shared"], outputs: ["dv.more"] }, // [G, c, d]
    { op: "Add", inputs: ["dv.part.before", "dv.more"], outputs: ["dv.part.after"] },
    { op: "MatMul", inputs: ["ds.part", "q.part"], outputs: ["dk.more"] }, // [G, c, d]
    { op: "Add", inputs: ["dk.part.before", "dk.more"], outputs: ["dk.part.after"] },
    { op: "MatMul", inputs: ["kT.part", "ds.part"], outputs: ["dqT.more"] }, // [G, d, b]
    { op: "Add", inputs: ["dqT.before", "dqT.more"], outputs: ["dqT.after"] },
  ],
};

/** One part of the queries. Their sums divide what is small, [G, d, b], not the weights. */
const QUERIES: BodyGraph = {
  name: "queries",
  inputs: f32("dk.before.parts", "dv.before.parts", "qT.part", "q.part", "do1T.part", "do.part"),
  outputs: f32("dk.after.parts", "dv.after.parts", "dqT.part"),
  nodes: [
    { op: "ConstantOfShape", inputs: ["sum.shape"], outputs: ["sum.none"] }, // [G, 1, b]
    {
      op: "Scan",
      inputs: ["sum.none", "k.parts", "realT.parts"],
      outputs: ["sum", "e.parts"],
      attributes: { body: WEIGH, num_scan_inputs: 2 },
    },
    { op: "Div", inputs: ["do1T.part", "sum"], outputs: ["do1T.shared"] }, // [G, d+1, b]
    { op: "Reshape", inputs: ["sum", "column"], outputs: ["sum.column"] }, // [G, b, 1]
    { op: "Div", inputs: ["do.part", "sum.column"], outputs: ["do.shared"] }, // [G, b, d]
    { op: "Shape", inputs: ["qT.part"], outputs: ["qT.shape"] },
    { op: "ConstantOfShape", inputs: ["qT.shape"], outputs: ["dqT.none"] }, // [G, d, b]
    {
      op: "Scan",
      inputs: ["dqT.none", "e.parts", "v1.parts", "kT.parts", "dk.before.parts", "dv.before.parts"],
      outputs: ["dqT.part", "dk.after.parts", "dv.after.parts"],
      attributes: { body: SPREAD, num_scan_inputs: 5 },
    },
  ],
};

/** Divides the tiles, with `<of>.fill` zeros behind. */
function divide(of: "key" | "query"): BodyNode[] {
  return [...divideRows(of), joined(`${of}.pads`, ...new Array<string>(4).fill("none"), `${of}.fill`, "none")];
}

function joined(name: string, ...inputs: string[]): BodyNode {
  return { op: "Concat", inputs, outputs: [name], attributes: { axis: 0 } };
}

/** Cuts `from` [G, N, .] along N into `<to>.parts`, `<to>T.parts` or both. */
function cut(from: string, of: "key" | "query", to: string, forms: readonly ("" | "T")[]): BodyNode[] {
  return [
    { op: "Pad", inputs: [from, `${of}.pads`], outputs: [`${to}.filled`] },
    joined(`${to}.cut`, "group", `${of}.count`, `${of}.size`, "rest"),
    { op: "Reshape", inputs: [`${to}.filled`, `${to}.cut`], outputs: [`${to}.split`] },
    ...forms.map((form): BodyNode => {
      const attributes = { perm: form === "T" ? [1, 0, 3, 2] : [1, 0, 2, 3] };
      return { op: "Transpose", inputs: [`${to}.split`], outputs: [`${to}${form}.parts`], attributes };
    }),
  ];
}

/** Puts `from` [parts, G, ., .] together to `to` [G, N, d]; `perm` makes it [G, parts, rows, d]. */
function join(from: string, to: string, perm: readonly number[]): BodyNode[] {
  return [
    { op: "Transpose", inputs: [from], outputs: [`${to}.split`], attributes: { perm } },
    { op: "Reshape", inputs: [`${to}.split`, "joined.heads"], outputs: [`${to}.joined`] },
    { op: "Slice", inputs: [`${to}.joined`, "none", "n", "one"], outputs: [to] },
  ];
}

/** Sizes of {@link attentionTilesBody}. */
export interface AttentionTilesOptions {
  /** d. */
  readonly depth: number;
  /** G. */
  readonly group: number;
  /** Most queries of a part. */
  readonly queryBlock: number;
}

/** Keys of a part over queries of a part: products of this shape are the runtime's fastest. */
const KEYS_PER_QUERY = 4;

/**
 * A branch that reads `q.heads` (scaled), `k.heads` [G, N, d], `v1.heads` and `do1.heads` [G, N, d+1] around it and gives
 * `dq.tiles`, `dk.tiles` and `dv.tiles` [G, N, d], for scores whose exponentials are numbers of f32 with nothing taken off.
 * Keys go in parts as well as queries, so that what lies between two operators stays in a core's cache, and a product of G
 * matrices gives every core a head of its own. b·N·G weights are held at a time.
 */
export function attentionTilesBody({ depth, group, queryBlock }: AttentionTilesOptions): BodyGraph {
  const keyBlock = KEYS_PER_QUERY * queryBlock;
  return {
    name: "tiles",
    inputs: [],
    outputs: f32("dq.tiles", "dk.tiles", "dv.tiles"),
    nodes: [
      { op: "Shape", inputs: ["k.heads"], outputs: ["n"], attributes: { start: 1, end: 2 } },
      ...divide("key"),
      ...divide("query"),
      { op: "Slice", inputs: ["do1.heads", "none", "last", "two"], outputs: ["do.heads"] }, // [G, N, d]
      { op: "Slice", inputs: ["v1.heads", "last", "end", "two"], outputs: ["real.heads"] }, // [G, N, 1]
      ...cut("k.heads", "key", "k", ["", "T"]),
      ...cut("v1.heads", "key", "v1", [""]),
      ...cut("real.heads", "key", "real", ["T"]),
      ...cut("q.heads", "query", "q", ["", "T"]),
      ...cut("do1.heads", "query", "do1", ["T"]),
      ...cut("do.heads", "query", "do", [""]),
      { op: "Shape", inputs: ["k.parts"], outputs: ["parts.shape"] },
      { op: "ConstantOfShape", inputs: ["parts.shape"], outputs: ["zeros.parts"] },
      joined("sum.shape", "group", "one", "query.size"),
      {
        op: "Scan",
        inputs: ["zeros.parts", "zeros.parts", "qT.parts", "q.parts", "do1T.parts", "do.parts"],
        outputs: ["dk.parts", "dv.parts", "dqT.parts"],
        attributes: { body: QUERIES, num_scan_inputs: 4 },
      },
      ...join("dqT.parts", "dq.tiles", [1, 0, 3, 2]),
      ...join("dk.parts", "dk.tiles", [1, 0, 2, 3]),
      ...join("dv.parts", "dv.tiles", [1, 0, 2, 3]),
    ],
    integers: {
      ...ROW_INTEGERS,
      ...{ two: [2], last: [-1], end: [Number.MAX_SAFE_INTEGER] },
      ...{ group: [group], column: [group, -1, 1], "joined.heads": [group, -1, depth] },
      ...mostRows("key", keyBlock),
      ...mostRows("query", queryBlock),
    },
  };
}
