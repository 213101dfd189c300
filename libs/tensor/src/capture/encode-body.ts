import {
  type AttributeProto,
  AttributeProto_AttributeType,
  type GraphProto,
  type NodeProto,
  TensorProto_DataType,
  type ValueInfoProto,
} from "../gen/onnx/onnx.ts";
import type { BodyAttribute, BodyGraph, BodyNode, BodyPort } from "./body.ts";
import { encodeAttribute, onnxTypeOf } from "./encode-attribute.ts";

/**
 * A body as ONNX. `prefix` goes before its own names; `captured` are the names, in the graph around it, of what it captures.
 */
export function encodeBody(body: BodyGraph, prefix: string, captured: readonly string[]): GraphProto {
  const outer = new Map((body.captures ?? []).map((name, i) => [name, captured[i] ?? ""]));
  return encodeGraph(body, (name) => (name === "" ? "" : (outer.get(name) ?? `${prefix}:${name}`)));
}

function encodeGraph(body: BodyGraph, rename: (name: string) => string): GraphProto {
  const port = ({ name, dtype }: BodyPort): ValueInfoProto => ({
    name: rename(name),
    type: { tensorType: { elemType: onnxTypeOf(dtype) } },
  });
  return {
    name: rename(body.name),
    node: body.nodes.map((node) => encodeNode(node, rename)),
    initializer: [
      ...Object.entries(body.integers ?? {}).map(([name, values]) => ({
        name: rename(name),
        dataType: TensorProto_DataType.INT64,
        dims: [BigInt(values.length)],
        rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
      })),
      ...Object.entries(body.floats ?? {}).map(([name, value]) => ({
        name: rename(name),
        dataType: TensorProto_DataType.FLOAT,
        dims: [],
        rawData: new Uint8Array(Float32Array.of(value).buffer),
      })),
      ...Object.entries(body.tensors ?? {}).map(([name, { shape, data }]) => ({
        name: rename(name),
        dataType: TensorProto_DataType.FLOAT,
        dims: shape.map(BigInt),
        rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      })),
    ],
    input: body.inputs.map(port),
    output: body.outputs.map(port),
  };
}

function encodeNode(node: BodyNode, rename: (name: string) => string): NodeProto {
  const outputs = node.outputs.map(rename);
  return {
    opType: node.op,
    domain: node.domain ?? "",
    name: outputs[0] ?? "",
    input: node.inputs.map(rename),
    output: outputs,
    attribute: Object.entries(node.attributes ?? {}).map(([name, value]) => encodeBodyAttribute(name, value, rename)),
  };
}

function encodeBodyAttribute(name: string, value: BodyAttribute, rename: (name: string) => string): AttributeProto {
  if (typeof value === "number") return encodeAttribute(name, { kind: "int", value });
  if (typeof value === "string") return encodeAttribute(name, { kind: "text", value });
  if (isFraction(value)) return encodeAttribute(name, { kind: "float", value: value.float });
  if ("nodes" in value) return { name, type: AttributeProto_AttributeType.GRAPH, g: encodeGraph(value, rename) };
  return encodeAttribute(name, { kind: "ints", value });
}

function isFraction(value: BodyAttribute): value is { readonly float: number } {
  return typeof value === "object" && "float" in value;
}
