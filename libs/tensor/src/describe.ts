import { ModelProto, type TensorProto } from "./gen/onnx/onnx.ts";
import type { CapturedGraph, GraphPort } from "./graph.ts";

/** A constant of a graph. */
export interface ConstantSummary {
  readonly name: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** What a graph consists of. */
export interface GraphSummary {
  readonly name: string;
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly GraphPort[];
  readonly nNodes: number;
  /** Nodes by operator, most frequent first. */
  readonly nodesByOperator: Readonly<Record<string, number>>;
  readonly constantBytes: number;
  /** Constants, biggest first. */
  readonly constants: readonly ConstantSummary[];
}

/** Counts what is in a captured graph. */
export function describeGraph(graph: CapturedGraph): GraphSummary {
  const { graph: body } = ModelProto.decode(graph.model);
  const counts = new Map<string, number>();
  for (const { opType = "", domain } of body?.node ?? []) {
    const operator = domain ? `${domain}.${opType}` : opType;
    counts.set(operator, (counts.get(operator) ?? 0) + 1);
  }
  const constants = (body?.initializer ?? [])
    .map(summariseConstant)
    .sort((a, b) => b.bytes - a.bytes || compareText(a.name, b.name));
  return {
    name: body?.name ?? "",
    inputs: graph.inputs,
    outputs: graph.outputs,
    nNodes: body?.node?.length ?? 0,
    nodesByOperator: Object.fromEntries([...counts].sort(([a, n], [b, m]) => m - n || compareText(a, b))),
    constantBytes: constants.reduce((sum, { bytes }) => sum + bytes, 0),
    constants,
  };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function summariseConstant({ name = "", dims = [], rawData }: TensorProto): ConstantSummary {
  return { name, shape: dims.map(Number), bytes: rawData?.byteLength ?? 0 };
}

/** Constants that {@link formatGraph} names. */
const N_SHOWN_CONSTANTS = 5;

/** A captured graph as lines for people: ports, operators, biggest constants. */
export function formatGraph(graph: CapturedGraph): string {
  const summary = describeGraph(graph);
  const operators = Object.entries(summary.nodesByOperator).map(([operator, count]) => `${count} ${operator}`);
  const constants = summary.constants.slice(0, N_SHOWN_CONSTANTS);
  return [
    `graph ${summary.name}`,
    ...summary.inputs.map((port) => `  in   ${formatPort(port)}`),
    ...summary.outputs.map((port) => `  out  ${formatPort(port)}`),
    `  ${summary.nNodes} nodes: ${operators.join(", ")}`,
    `  ${summary.constants.length} constants, ${formatBytes(summary.constantBytes)}; the biggest:`,
    ...constants.map(({ name, shape, bytes }) => `    ${name} [${shape.join(", ")}] ${formatBytes(bytes)}`),
  ].join("\n");
}

function formatPort({ name, dtype, shape }: GraphPort): string {
  return `${name} ${dtype} [${shape.join(", ")}]`;
}

function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
