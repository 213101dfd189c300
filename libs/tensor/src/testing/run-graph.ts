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
    const tensors = Object.entries(feeds).map(([name, { dtype, data, shape }]) => [
      name,
      new Tensor(ONNX_NAMES[dtype], data as never, [...shape]),
    ]);
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

function hostTensor(tensor: Tensor): ConstantTensor {
  const dtype = tensor.type === "float32" ? "f32" : tensor.type === "int32" ? "i32" : "bool";
  return { dtype, shape: tensor.dims, data: tensor.data as ConstantTensor["data"] };
}
