import { createHash } from "node:crypto";
import type { CapturedGraph, Dim, GraphPort, GraphType } from "@parfocal/tensor";

// Just enough of the ONNX protobuf schema to write small models by hand, so that the engine's tests depend on
// no other package's code. Field numbers are those of the published `onnx.proto`.

const ELEMENT: Readonly<Record<GraphType, number>> = { f32: 1, u8: 2, u16: 4, i32: 6, i64: 7, bool: 9, f16: 10 };

/** One node of a test model; attribute values are integers, tensors of f32 or i64, or sub-graphs (encoded). */
export interface TestNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly ints?: Readonly<Record<string, number>>;
  readonly graphs?: Readonly<Record<string, Buffer>>;
}

/** A constant of a test model. */
export interface TestConstant {
  readonly name: string;
  readonly dtype: GraphType;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** What a test model is made of. */
export interface TestGraph {
  readonly nodes: readonly TestNode[];
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly GraphPort[];
  readonly constants?: readonly TestConstant[];
}

/** A port, shortly. */
export function port(name: string, dtype: GraphType, shape: readonly Dim[]): GraphPort {
  return { name, dtype, shape };
}

/** Serialises a test graph as an ONNX model of opset 20. */
export function buildGraph(graph: TestGraph): CapturedGraph {
  const opset = Buffer.concat([bytesField(1, Buffer.alloc(0)), intField(2, 20)]);
  const model = Buffer.concat([intField(1, 9), bytesField(7, encodeGraph(graph)), bytesField(8, opset)]);
  const digest = createHash("sha256").update(model).digest("hex");
  return { digest, model, inputs: graph.inputs, outputs: graph.outputs };
}

/** Serialises the graph alone, for the body of a Loop. */
export function encodeGraph(graph: TestGraph): Buffer {
  return Buffer.concat([
    ...graph.nodes.map((node) => bytesField(1, encodeNode(node))),
    textField(2, "test"),
    ...(graph.constants ?? []).map((constant) => bytesField(5, encodeConstant(constant))),
    ...graph.inputs.map((input) => bytesField(11, encodePort(input))),
    ...graph.outputs.map((output) => bytesField(12, encodePort(output))),
  ]);
}

function encodeNode(node: TestNode): Buffer {
  return Buffer.concat([
    ...node.inputs.map((name) => textField(1, name)),
    ...node.outputs.map((name) => textField(2, name)),
    textField(4, node.op),
    ...Object.entries(node.ints ?? {}).map(([name, value]) => attribute(name, intField(3, value), 2)),
    ...Object.entries(node.graphs ?? {}).map(([name, body]) => attribute(name, bytesField(6, body), 5)),
  ]);
}

function attribute(name: string, value: Buffer, type: number): Buffer {
  return bytesField(5, Buffer.concat([textField(1, name), value, intField(20, type)]));
}

function encodeConstant(constant: TestConstant): Buffer {
  return Buffer.concat([
    ...constant.shape.map((dim) => intField(1, dim)),
    intField(2, ELEMENT[constant.dtype]),
    textField(8, constant.name),
    bytesField(9, Buffer.from(constant.data)),
  ]);
}

function encodePort(value: GraphPort): Buffer {
  const dims = value.shape.map((dim) => bytesField(1, typeof dim === "number" ? intField(1, dim) : textField(2, dim)));
  const tensorType = Buffer.concat([intField(1, ELEMENT[value.dtype]), bytesField(2, Buffer.concat(dims))]);
  return Buffer.concat([textField(1, value.name), bytesField(2, bytesField(1, tensorType))]);
}

function intField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function textField(field: number, text: string): Buffer {
  return bytesField(field, Buffer.from(text));
}

function bytesField(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
