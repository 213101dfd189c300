import type { BodyGraph, BodyNode, BodyPort, BodyTensor } from "../capture/body.ts";
import { MICROSOFT_DOMAIN } from "../capture/domains.ts";

// Legend: N tiles, I their width, R places of a step, b regions of a step, P places of a region, H heads, d head width, W = H·d,
// k taps. `<name>T` is channels by places, [W, R] = [H, d, b, P]: what the convolution reads and products can read as well.

/** What the bodies depend on. */
export interface RegionBodyOptions {
  readonly heads: number;
  /** W. */
  readonly width: number;
  /** Whether queries are convolved along the tokens of their region. */
  readonly hasKernel: boolean;
  /** The kernel by channel, [W, 1, 1, k], where it is known: the runtime has a blocked convolution for kernels that the body holds. */
  readonly taps?: BodyTensor;
  /** k; not read without a kernel. */
  readonly nTaps: number;
  /** Whether empty places take no part. */
  readonly isMasked: boolean;
  /** Whether the value gives what the gradient would else compute again: the queries before the convolution, keys and values. */
  readonly isKept: boolean;
}

/** Added to the scores of empty places: exp of it is 0 beside any score that weights of finite size make. */
const NEVER = 1e6;

const f32 = (...names: readonly string[]): BodyPort[] => names.map((name) => ({ name, dtype: "f32" }));

const STEP: readonly BodyPort[] = [{ name: "index", dtype: "i32" }, ...f32("filled")];
const LAYERS = ["wq", "bq", "wk", "bk", "wv", "bv"];
const LAYER_WEIGHTS = ["wq", "wk", "wv"];

const transposed = { transB: 1 } as const;

/** `x` as the regions of a step read it: rows at their places, zero at empty ones, [R, I]. */
const STEP_ROWS: readonly BodyNode[] = [
  { op: "Gather", inputs: ["x", "index"], outputs: ["x.rows"] },
  { op: "Mul", inputs: ["x.rows", "filled"], outputs: ["u"] },
];

/** The queries [W, R]. The convolution reads empty places as outside the region, as zeros, if they take no part. */
function queries({ isMasked }: RegionBodyOptions): BodyNode[] {
  if (!isMasked) return [{ op: "Gemm", inputs: ["wq", "u", "bq"], outputs: ["qT"], attributes: transposed }];
  return [
    { op: "Gemm", inputs: ["wq", "u", "bq"], outputs: ["qT.raw"], attributes: transposed },
    { op: "Reshape", inputs: ["filled", "row"], outputs: ["filledT"] }, // [1, R]
    { op: "Mul", inputs: ["qT.raw", "filledT"], outputs: ["qT"] },
  ];
}

function shapeNodes({ width, heads }: RegionBodyOptions): {
  nodes: BodyNode[];
  integers: Record<string, readonly number[]>;
} {
  const join = (name: string, ...inputs: string[]): BodyNode => {
    return { op: "Concat", inputs, outputs: [name], attributes: { axis: 0 } };
  };
  return {
    nodes: [
      join("image", "one", "width", "rest", "tokens"), // [1, W, b, P]
      join("regions", "rest", "tokens", "width"), // [b, P, W]
      join("split", "rest", "tokens", "heads", "depth"), // [b, P, H, d]
      join("splitT", "heads", "depth", "rest", "tokens"), // [H, d, b, P]
      join("byHead", "heads", "rest", "tokens"), // [H, d·b, P]
    ],
    integers: {
      ...{ one: [1], rest: [-1], width: [width], heads: [heads], depth: [width / heads] },
      ...{ row: [1, -1], flatT: [width, -1] },
    },
  };
}

/** The convolution of `<x>T` [W, R] by `taps`, [W, R]. */
function convolve(x: string, taps: string, { width, nTaps }: RegionBodyOptions): BodyNode[] {
  const reach = (nTaps - 1) / 2;
  const attributes = { group: width, kernel_shape: [1, nTaps], pads: [0, reach, 0, reach] };
  return [
    { op: "Reshape", inputs: [`${x}T`, "image"], outputs: [`${x}.image`] },
    { op: "Conv", inputs: [`${x}.image`, taps], outputs: [`${x}.convolved`], attributes },
    { op: "Reshape", inputs: [`${x}.convolved`, "flatT"], outputs: [`${x}T.convolved`] },
  ];
}

/** `NEVER` taken off at empty places, [R, 1]. */
const NEVER_COLUMN: readonly BodyNode[] = [
  { op: "Sub", inputs: ["filled", "unit"], outputs: ["minus.empty"] },
  { op: "Mul", inputs: ["minus.empty", "never"], outputs: ["offset"] },
];

/**
 * Queries and keys with one channel more in each head: 1 in the queries, a large negative number in the keys of empty places, 0
 * elsewhere. Fused attention then ignores those places without a mask, which would make it store its scores.
 */
function widened(): BodyNode[] {
  return [
    ...NEVER_COLUMN,
    { op: "Reshape", inputs: ["q.plain", "split"], outputs: ["q.split"] },
    { op: "Pad", inputs: ["q.split", "behind", "unit"], outputs: ["q.padded"] }, // [b, P, H, d+1]
    { op: "Concat", inputs: ["rest", "tokens", "wide"], outputs: ["widened"], attributes: { axis: 0 } },
    { op: "Reshape", inputs: ["q.padded", "widened"], outputs: ["q"] }, // [b, P, H·(d+1)]
    { op: "Reshape", inputs: ["k.flat", "split"], outputs: ["k.split"] },
    { op: "Concat", inputs: ["rest", "tokens", "one", "one"], outputs: ["column"], attributes: { axis: 0 } },
    { op: "Reshape", inputs: ["offset", "column"], outputs: ["offset.column"] }, // [b, P, 1, 1]
    { op: "Expand", inputs: ["offset.column", "every.head"], outputs: ["offset.heads"] }, // [b, P, H, 1]
    {
      op: "Concat",
      inputs: ["k.split", "offset.heads"],
      outputs: ["k.padded"],
      attributes: { axis: 3 },
    },
    { op: "Reshape", inputs: ["k.padded", "widened"], outputs: ["k"] },
    { op: "Reshape", inputs: ["v.flat", "regions"], outputs: ["v"] },
  ];
}

/** What the value leaves for the gradient: [W, R] and twice [R, W]. */
const KEPT = ["qT", "k.flat", "v.flat"];

/** One step of the value: `index` i32 and `filled` [R, 1] of its places to the attended regions [b, P, W], and what is to be kept. */
export function regionAttentionBody(options: RegionBodyOptions): BodyGraph {
  const { heads, width, hasKernel, taps, isMasked, isKept } = options;
  const { nodes, integers } = shapeNodes(options);
  const asRegions = (from: string, to: string): BodyNode => ({
    op: "Reshape",
    inputs: [from, "regions"],
    outputs: [to],
  });
  const attributes = { num_heads: heads, scale: { float: 1 / Math.sqrt(width / heads) } };
  return {
    name: "step",
    inputs: STEP,
    outputs: f32("y", ...(isKept ? KEPT : [])),
    nodes: [
      ...nodes,
      ...STEP_ROWS,
      ...queries(options),
      ...(hasKernel ? convolve("q", "taps", options) : []),
      {
        op: "Transpose",
        inputs: [hasKernel ? "qT.convolved" : "qT"],
        outputs: ["q.plain"],
        attributes: { perm: [1, 0] },
      },
      { op: "Gemm", inputs: ["u", "wk", "bk"], outputs: ["k.flat"], attributes: transposed }, // [R, W]
      { op: "Gemm", inputs: ["u", "wv", "bv"], outputs: ["v.flat"], attributes: transposed },
      ...(isMasked ? widened() : [asRegions("q.plain", "q"), asRegions("k.flat", "k"), asRegions("v.flat", "v")]),
      {
        op: "MultiHeadAttention",
        domain: MICROSOFT_DOMAIN,
        inputs: ["q", "k", "v"],
        outputs: ["y"], // As it is: rows of another shape would be copied into the stack of all steps.
        attributes,
      },
    ],
    integers: {
      ...integers,
      ...(isMasked && { wide: [width + heads], behind: [0, 0, 0, 0, 0, 0, 0, 1], "every.head": [1, 1, heads, 1] }),
    },
    floats: isMasked ? { unit: 1, never: NEVER } : {},
    tensors: taps === undefined ? {} : { taps },
    captures: ["x", ...LAYERS, "tokens", ...(hasKernel && taps === undefined ? ["taps"] : [])],
  };
}

const STATES = ["dwq", "dbq", "dwk", "dbk", "dwv", "dbv"];

/** A product of matrices [b, H, ., .] whose operands may be read transposed. */
function product(a: string, b: string, to: string, flags: Readonly<Record<string, 1>>, alpha = 1): BodyNode {
  const attributes = { ...flags, alpha: { float: alpha } };
  return { op: "FusedMatMul", domain: MICROSOFT_DOMAIN, inputs: [a, b], outputs: [to], attributes };
}

/** Rows [R, W] as [b, H, P, d]. */
function rowsToHeads(from: string, to: string): BodyNode[] {
  return [
    { op: "Reshape", inputs: [from, "split"], outputs: [`${to}.split`] },
    { op: "Transpose", inputs: [`${to}.split`], outputs: [to], attributes: { perm: [0, 2, 1, 3] } },
  ];
}

/** [b, H, d, P] as channels by places, [W, R]. */
function fromHeads(from: string, to: string): BodyNode[] {
  return [
    { op: "Transpose", inputs: [from], outputs: [`${to}.split`], attributes: { perm: [1, 2, 0, 3] } },
    { op: "Reshape", inputs: [`${to}.split`, "flatT"], outputs: [to] },
  ];
}

/** What a layer gets of its output's gradient `d<x>T` [W, R], added to what it had. */
function layerGradient(x: string): BodyNode[] {
  return [
    { op: "Gemm", inputs: [`d${x}T`, "u", `dw${x}.before`], outputs: [`dw${x}.after`] }, // [W, I]
    { op: "ReduceSum", inputs: [`d${x}T`, "one"], outputs: [`db${x}.step`], attributes: { keepdims: 0 } },
    { op: "Add", inputs: [`db${x}.before`, `db${x}.step`], outputs: [`db${x}.after`] },
  ];
}

/** Scores of a step with its weights `p` and its gradient `ds`, [b, H, P, P]; both are gone when the next step begins. */
function scoreGradient({ isMasked, width, heads }: RegionBodyOptions): BodyNode[] {
  const scale = 1 / Math.sqrt(width / heads);
  const scores = isMasked ? "scores.raw" : "scores";
  return [
    product("q4", "k4", scores, { transA: 1, transB: 1 }, scale),
    ...(isMasked
      ? [
          ...NEVER_COLUMN,
          { op: "Concat", inputs: ["rest", "one", "one", "tokens"], outputs: ["key.row"], attributes: { axis: 0 } },
          { op: "Reshape", inputs: ["offset", "key.row"], outputs: ["key.offset"] }, // [b, 1, 1, P]
          { op: "Add", inputs: [scores, "key.offset"], outputs: ["scores"] },
        ]
      : []),
    { op: "Softmax", inputs: ["scores"], outputs: ["p"], attributes: { axis: 3 } },
    product("g4", "v4", "slopes", { transB: 1 }),
    { op: "Sub", inputs: ["slopes", "drift4"], outputs: ["slopes.centred"] },
    { op: "Mul", inputs: ["p", "slopes.centred"], outputs: ["ds"] },
    product("k4", "ds", "dq4", { transA: 1, transB: 1 }, scale), // [b, H, d, P]
    product("q4", "ds", "dk4", {}, scale),
    product("g4", "p", "dv4", { transA: 1 }),
  ];
}

/**
 * One step of the gradient, which reads what the value kept; weights are computed again, so that none are held but those of the
 * step. States are the gradients by the layers, and `products` [H, P, P]: sums over regions and channels
 * of dq'[i]·q[j], whose diagonals are the taps' gradients. Captures `x`, `dy` [N, W] and `drift` [N, H], Σ dy·y of each head.
 */
export function regionAttentionGradientBody(options: RegionBodyOptions): BodyGraph {
  const { hasKernel, isMasked } = options;
  const { nodes, integers } = shapeNodes(options);
  const states = [...STATES, ...(hasKernel ? ["products"] : [])];
  // What the convolution's gradient is called before empty places are taken out of it.
  const raw = isMasked ? "dqT.raw" : "dqT";
  return {
    name: "step",
    inputs: [...f32(...states.map((name) => `${name}.before`)), ...STEP, ...f32(...KEPT)],
    outputs: f32(...states.map((name) => `${name}.after`), "du"),
    nodes: [
      ...nodes,
      ...STEP_ROWS,
      ...(hasKernel ? convolve("q", "taps", options) : []),
      { op: "Reshape", inputs: [hasKernel ? "qT.convolved" : "qT", "splitT"], outputs: ["q.split"] },
      { op: "Transpose", inputs: ["q.split"], outputs: ["q4"], attributes: { perm: [2, 0, 1, 3] } }, // [b, H, d, P]
      ...rowsToHeads("k.flat", "k4"), // [b, H, P, d]
      ...rowsToHeads("v.flat", "v4"),
      { op: "Gather", inputs: ["dy", "index"], outputs: ["dy.rows"] },
      { op: "Mul", inputs: ["dy.rows", "filled"], outputs: ["g"] }, // [R, W]
      ...rowsToHeads("g", "g4"),
      { op: "Gather", inputs: ["drift", "index"], outputs: ["drift.rows"] },
      { op: "Mul", inputs: ["drift.rows", "filled"], outputs: ["drift.filled"] }, // [R, H]
      { op: "Concat", inputs: ["rest", "tokens", "heads", "one"], outputs: ["drift.shape"], attributes: { axis: 0 } },
      { op: "Reshape", inputs: ["drift.filled", "drift.shape"], outputs: ["drift.split"] },
      { op: "Transpose", inputs: ["drift.split"], outputs: ["drift4"], attributes: { perm: [0, 2, 1, 3] } }, // [b, H, P, 1]
      ...scoreGradient(options),
      ...fromHeads("dq4", hasKernel ? "dq.convolvedT" : raw), // [W, R]
      ...(hasKernel ? kernelGradient(raw, options) : []),
      ...(isMasked
        ? [
            { op: "Reshape", inputs: ["filled", "row"], outputs: ["filledT"] }, // [1, R]
            { op: "Mul", inputs: [raw, "filledT"], outputs: ["dqT"] },
          ]
        : []),
      ...fromHeads("dk4", "dkT"),
      ...fromHeads("dv4", "dvT"),
      ...["q", "k", "v"].flatMap(layerGradient),
      { op: "Gemm", inputs: ["dqT", "wq"], outputs: ["du.q"], attributes: { transA: 1 } }, // [R, I]
      { op: "Gemm", inputs: ["dkT", "wk", "du.q"], outputs: ["du.qk"], attributes: { transA: 1 } },
      { op: "Gemm", inputs: ["dvT", "wv", "du.qk"], outputs: ["du"], attributes: { transA: 1 } },
    ],
    integers,
    floats: isMasked ? { unit: 1, never: NEVER } : {},
    captures: ["x", "dy", "drift", ...LAYER_WEIGHTS, "tokens", ...(hasKernel ? ["taps", "taps.reversed"] : [])],
  };
}

/** Back through the convolution: `dq.convolvedT` [W, R] to `to`, and the products that the taps are read from. */
function kernelGradient(to: string, options: RegionBodyOptions): BodyNode[] {
  const back = convolve("dq.convolved", "taps.reversed", options).map((node) => ({
    ...node,
    outputs: node.outputs.map((name) => (name === "dq.convolvedT.convolved" ? to : name)),
  }));
  return [
    ...back,
    { op: "Reshape", inputs: ["dq.convolvedT", "byHead"], outputs: ["dq.byHead"] }, // [H, d·b, P]
    { op: "Reshape", inputs: ["qT", "byHead"], outputs: ["q.byHead"] },
    product("dq.byHead", "q.byHead", "products.step", { transA: 1 }), // [H, P, P]
    { op: "Add", inputs: ["products.before", "products.step"], outputs: ["products.after"] },
  ];
}
