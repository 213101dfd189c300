import {
  type AttributeProto,
  AttributeProto_AttributeType,
  ModelProto,
  type NodeProto,
  type TensorProto,
  TensorProto_DataType,
  type ValueInfoProto,
} from "../gen/onnx/onnx.ts";
import type { GraphPort, GraphType } from "../graph.ts";
import { MICROSOFT_DOMAIN } from "./domains.ts";
import { createDimsEncoder } from "./encode-dims.ts";
import { type Program, type ProgramNode, typeOf } from "./program.ts";
import type { Attribute, ConstantData } from "./recording.ts";

/** The operator set that graphs are written in; old enough for every runtime of the last years. */
const OPSET = 21n;
/** IR version that belongs to the operator set. */
const IR_VERSION = 10n;
const ONNX_TYPES: Readonly<Record<GraphType, number>> = {
  f32: TensorProto_DataType.FLOAT,
  f16: TensorProto_DataType.FLOAT16,
  i32: TensorProto_DataType.INT32,
  i64: TensorProto_DataType.INT64,
  u8: TensorProto_DataType.UINT8,
  u16: TensorProto_DataType.UINT16,
  bool: TensorProto_DataType.BOOL,
};

/** The number ONNX gives an element type. */
function onnxTypeOf(dtype: GraphType): number {
  return ONNX_TYPES[dtype];
}

/** Name and ports of a graph. */
export interface GraphSignature {
  readonly name: string;
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly GraphPort[];
}

/** A program as a serialised ONNX `ModelProto`. The same program gives the same bytes. */
export function encodeProgram(program: Program, signature: GraphSignature): Uint8Array {
  const names = nameValues(program, signature);
  const nameOf = (id: number): string => names.get(id) ?? `value:${id}`;
  const dims = createDimsEncoder(signature.inputs);
  const nodes = program.nodes.map((node, i) => encodeNode(node, i, program, nameOf, dims.encode));
  const initializer = [...program.constants].map(([id, { data }]) => encodeConstant(nameOf(id), program, id, data));
  return ModelProto.encode({
    irVersion: IR_VERSION,
    producerName: "parfocal",
    opsetImport: [
      { domain: "", version: OPSET },
      { domain: MICROSOFT_DOMAIN, version: 1n },
    ],
    graph: {
      name: signature.name,
      node: [...dims.nodes, ...nodes, ...copyOutputs(program, names, nameOf)],
      initializer: [...initializer, ...dims.initializers],
      input: signature.inputs.map(encodePort),
      output: signature.outputs.map(encodePort),
    },
  }).finish();
}

/** Names of ports and named constants; everything else is called by its id. */
function nameValues(program: Program, { inputs }: GraphSignature): Map<number, string> {
  const names = new Map<number, string>();
  inputs.forEach(({ name }, i) => void names.set(program.inputs[i] ?? Number.NaN, name));
  for (const [id, { name }] of program.constants) if (name !== undefined) names.set(id, name);
  const produced = new Set(program.nodes.flatMap(({ outputs }) => outputs));
  const taken = new Set(names.values());
  for (const [name, id] of program.outputs)
    if (produced.has(id) && !names.has(id) && !taken.has(name)) names.set(id, name);
  return names;
}

/** An output that is an input, a constant or another output under a second name is a copy of it. */
function copyOutputs(
  program: Program,
  names: ReadonlyMap<number, string>,
  nameOf: (id: number) => string,
): NodeProto[] {
  return [...program.outputs]
    .filter(([name, id]) => names.get(id) !== name)
    .map(([name, id]) => ({ opType: "Identity", name: `output/${name}`, input: [nameOf(id)], output: [name] }));
}

type DimsEncode = ReturnType<typeof createDimsEncoder>["encode"];

function encodeNode(
  node: ProgramNode,
  index: number,
  program: Program,
  nameOf: (id: number) => string,
  encodeDims: DimsEncode,
): NodeProto {
  const input = node.operands.map((operand, position) => {
    if (operand.kind === "none") return "";
    return operand.kind === "value"
      ? nameOf(operand.id)
      : encodeDims(operand.dims, node.op === "Reshape" && position === 1);
  });
  const attribute = Object.entries(withCastTarget(node, program)).map(([name, value]) => encodeAttribute(name, value));
  return {
    opType: node.op,
    domain: node.domain,
    name: `${node.source}/${index}`,
    input,
    output: node.outputs.map(nameOf),
    attribute,
  };
}

/** A Cast says its target as an attribute; in a program it is the type of the output. */
function withCastTarget(node: ProgramNode, program: Program): ProgramNode["attributes"] {
  if (node.op !== "Cast") return node.attributes;
  const { dtype } = typeOf(program.types, node.outputs[0] ?? Number.NaN);
  return { to: { kind: "int", value: onnxTypeOf(dtype) } };
}

function encodeAttribute(name: string, attribute: Attribute): AttributeProto {
  switch (attribute.kind) {
    case "int":
      return { name, type: AttributeProto_AttributeType.INT, i: BigInt(attribute.value) };
    case "float":
      return { name, type: AttributeProto_AttributeType.FLOAT, f: attribute.value };
    case "ints":
      return { name, type: AttributeProto_AttributeType.INTS, ints: attribute.value.map(BigInt) };
    case "text":
      return { name, type: AttributeProto_AttributeType.STRING, s: new TextEncoder().encode(attribute.value) };
  }
}

function encodeConstant(name: string, program: Program, id: number, data: ConstantData): TensorProto {
  const { dtype, shape } = typeOf(program.types, id);
  return {
    name,
    dataType: onnxTypeOf(dtype),
    dims: shape.map(({ constant }) => BigInt(constant)),
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

function encodePort({ name, dtype, shape }: GraphPort): ValueInfoProto {
  const dim = shape.map((size) => (typeof size === "number" ? { dimValue: BigInt(size) } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: onnxTypeOf(dtype), shape: { dim } } } };
}
