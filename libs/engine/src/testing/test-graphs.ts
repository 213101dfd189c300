import type { CapturedGraph } from "@parfocal/tensor";
import { buildGraph, encodeGraph, port } from "./onnx-writer.ts";

const ONE = new Uint8Array(new Float32Array([1]).buffer);

/** `y = x + w` over `[N, 2]` and `[2]`. */
export function addGraph(): CapturedGraph {
  return buildGraph({
    nodes: [{ op: "Add", inputs: ["x", "w"], outputs: ["y"] }],
    inputs: [port("x", "f32", ["N", 2]), port("w", "f32", [2])],
    outputs: [port("y", "f32", ["N", 2])],
  });
}

/** `next = state + 1`, any `[n]` of f32: the smallest training step. */
export function countGraph(n: number): CapturedGraph {
  return buildGraph({
    nodes: [{ op: "Add", inputs: ["state", "one"], outputs: ["next"] }],
    inputs: [port("state", "f32", [n])],
    outputs: [port("next", "f32", [n])],
    constants: [{ name: "one", dtype: "f32", shape: [], data: ONE }],
  });
}

/** `y = Identity(x)` of any element type and rank 1. */
export function identityGraph(dtype: "f32" | "f16" | "i32" | "i64" | "u8" | "u16" | "bool"): CapturedGraph {
  return buildGraph({
    nodes: [{ op: "Identity", inputs: ["x"], outputs: ["y"] }],
    inputs: [port("x", dtype, ["N"])],
    outputs: [port("y", dtype, ["N"])],
  });
}

/** `times` products `x @ x` of `[n, n]` in a Loop: busy for as long as the caller likes. */
export function slowGraph(n: number): CapturedGraph {
  const square = port("x_in", "f32", [n, n]);
  const body = encodeGraph({
    nodes: [
      { op: "Identity", inputs: ["go_in"], outputs: ["go_out"] },
      { op: "MatMul", inputs: ["x_in", "w"], outputs: ["product"] },
      { op: "Tanh", inputs: ["product"], outputs: ["x_out"] },
    ],
    inputs: [port("i", "i64", []), port("go_in", "bool", []), square],
    outputs: [port("go_out", "bool", []), port("x_out", "f32", [n, n])],
  });
  return buildGraph({
    nodes: [{ op: "Loop", inputs: ["times", "", "w"], outputs: ["y"], graphs: { body } }],
    inputs: [port("times", "i64", []), port("w", "f32", [n, n])],
    outputs: [port("y", "f32", [n, n])],
  });
}

/** `y = Expand(x, shape)`: allocates as much as the caller asks for. */
export function expandGraph(): CapturedGraph {
  return buildGraph({
    nodes: [
      { op: "Expand", inputs: ["x", "shape"], outputs: ["wide"] },
      { op: "ReduceSum", inputs: ["wide"], outputs: ["y"], ints: { keepdims: 0 } },
    ],
    inputs: [port("x", "f32", [1]), port("shape", "i64", [1])],
    outputs: [port("y", "f32", [])],
  });
}
