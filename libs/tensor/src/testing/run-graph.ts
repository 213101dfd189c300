import { InferenceSession, Tensor } from "onnxruntime-node";
import type { ConstantTensor } from "../capture/capture.ts";
import type { CapturedGraph, GraphType } from "../graph.ts";

const ONNX_NAMES = {
  f32: "float32",
  i32: "int32",
  bool: "bool",
  u16: "uint16",
  u8: "uint8",
  i64: "int64",
  f16: "float16",
} as const;

/** A tensor for onnxruntime: any port type, data as that type stores it. */
export interface Feed {
  readonly dtype: GraphType;
  readonly shape: readonly number[];
  readonly data: ConstantTensor["data"] | Uint16Array | BigInt64Array;
}

/** Opens a captured graph; the function runs it and gives its outputs. */
export async function openGraph(
  graph: CapturedGraph,
): Promise<(feeds: Readonly<Record<string, Feed>>) => Promise<Record<string, ConstantTensor>>> {
  const session = await InferenceSession.create(graph.model, { intraOpNumThreads: 2, logSeverityLevel: 3 });
  return async (feeds) => {
    const tensors = Object.entries(feeds).map(([name, feed]) => [name, onnxTensor(feed)]);
    const results = await session.run(Object.fromEntries(tensors) as Record<string, Tensor>);
    return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, hostTensor(tensor)]));
  };
}

/** Runs a captured graph once. */
export async function runGraph(
  graph: CapturedGraph,
  feeds: Readonly<Record<string, Feed>>,
): Promise<Record<string, ConstantTensor>> {
  const run = await openGraph(graph);
  return run(feeds);
}

/**
 * Where the platform has `Float16Array`, onnxruntime's JavaScript side turns half words into one, and its native side then
 * reads nothing from it. A tensor of words that is called halves afterwards passes both.
 */
function onnxTensor({ dtype, data, shape }: Feed): Tensor {
  if (dtype !== "f16") return new Tensor(ONNX_NAMES[dtype], data as never, [...shape]);
  return Object.assign(new Tensor("uint16", data as Uint16Array, [...shape]), { type: "float16" });
}

function hostTensor(tensor: Tensor): ConstantTensor {
  const dtype = tensor.type === "float32" ? "f32" : tensor.type === "int32" ? "i32" : "bool";
  return { dtype, shape: tensor.dims, data: tensor.data as ConstantTensor["data"] };
}
