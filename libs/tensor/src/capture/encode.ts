import {
  AttributeProto_AttributeType,
  ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from "../gen/onnx/onnx.ts";
import type { GraphPort } from "../graph.ts";
import { MICROSOFT_DOMAIN } from "./domains.ts";
import { encodeAttribute, onnxTypeOf } from "./encode-attribute.ts";
import { encodeBody } from "./encode-body.ts";
import { createDimsEncoder } from "./encode-dims.ts";
import { type Program, type ProgramNode, typeOf } from "./program.ts";
import type { Attribute, ConstantData } from "./recording.ts";

/** The operator set that graphs are written in; old enough for every runtime of the last years. */
const OPSET = 21n;
/** IR version that belongs to the operator set. */
const IR_VERSION = 10n;
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
  const derived = new Map([...program.derived].map(([symbol, id]) => [symbol, nameOf(id)]));
  const dims = createDimsEncoder(signature.inputs, derived);
  const nodes = program.nodes.flatMap((node, i) => {
    const nWritten = dims.nodes.length;
    const encoded = encodeNode(node, i, program, nameOf, dims.encode);
    // Shape arithmetic goes right before its first reader: what derived sizes are computed from stands before that.
    return [...dims.nodes.slice(nWritten), encoded];
  });
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
      node: [...nodes, ...copyOutputs(program, names, nameOf)],
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
  const name = `${node.source}/${index}`;
  const attributes = withCastTarget(node, program);
  const nCaptured = Object.values(attributes).reduce((sum, value) => sum + countCaptures(value), 0);
  const captured = input.splice(input.length - nCaptured, nCaptured);
  const attribute = Object.entries(attributes).map(([key, value]) =>
    value.kind === "body"
      ? { name: key, type: AttributeProto_AttributeType.GRAPH, g: encodeBody(value.value, name, captured) }
      : encodeAttribute(key, value),
  );
  return {
    opType: node.op,
    domain: node.domain,
    name,
    input,
    output: node.outputs.map(nameOf),
    attribute,
  };
}

/** How many of a node's last operands are read inside its body and are no inputs of the node. */
function countCaptures(attribute: Attribute): number {
  return attribute.kind === "body" ? (attribute.value.captures?.length ?? 0) : 0;
}

/** A Cast says its target as an attribute; in a program it is the type of the output. */
function withCastTarget(node: ProgramNode, program: Program): ProgramNode["attributes"] {
  if (node.op !== "Cast") return node.attributes;
  const { dtype } = typeOf(program.types, node.outputs[0] ?? Number.NaN);
  return { to: { kind: "int", value: onnxTypeOf(dtype) } };
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
