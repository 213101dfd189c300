import { DomainError } from "@parfocal/errors";
import type { Tensor } from "@tensorflow/tfjs";
import { tf } from "../tf.ts";
import type { BodyAttribute, BodyGraph, BodyNode } from "./body.ts";
import { onnxTypeOf } from "./encode-attribute.ts";
import { type Program, type ProgramNode, type ProgramOperand, typeOf } from "./program.ts";
import { proveProgram } from "./prove.ts";
import { createRecorder, infoOf, type Recorder, withInnerRecorder } from "./recorder.ts";
import type { Attribute, RecordedValue } from "./recording.ts";
import { simplifyProgram } from "./simplify.ts";

/** A value that enters a body. */
export interface BodyInput {
  readonly dtype: "f32" | "i32" | "bool";
  readonly shape: readonly number[];
}

/** A body with what it reads of the graph around it. */
export interface RecordedBody {
  readonly body: BodyGraph;
  /** Values of the graph around it, in the order of the body's `captures`. */
  readonly captured: readonly RecordedValue[];
  /** Shapes and types of what it gives. */
  readonly outputs: readonly RecordedValue[];
}

/**
 * Records what `build` does to tensors of the given static shapes as the body of a loop. Tensors that `build` reads from around it are
 * captured by themselves.
 */
export function recordBody(
  outer: Recorder,
  name: string,
  inputs: readonly BodyInput[],
  build: (tensors: readonly Tensor[]) => readonly Tensor[],
): RecordedBody {
  const captures = new Map<RecordedValue, RecordedValue>();
  const inner = createRecorder({
    capture(info) {
      const value = outer.valueOf(info);
      const known = captures.get(value) ?? inner.input(value);
      captures.set(value, known);
      return known;
    },
  });
  const values = inputs.map((input) => inner.input(input));
  const outputs = withInnerRecorder(inner, () =>
    build(values.map((value) => tf.engine().makeTensorFromTensorInfo(infoOf(value)))).map((x) => inner.valueOf(x)),
  );
  const recording = {
    inputs: [...values, ...captures.values()],
    constants: inner.constants,
    nodes: inner.nodes,
    derived: inner.derived,
    outputs: new Map(outputs.map((value, i) => [`${i}`, value])),
  };
  // The sizes of a body are fixed, so that one recording of it is all there is to prove.
  const program = simplifyProgram(proveProgram(recording, recording, []));
  const lifted = liftConstants(outer, program);
  const names = [...captures.values(), ...lifted.keys()].map((value) =>
    nameOf(typeof value === "number" ? value : value.id),
  );
  const body: BodyGraph = { ...encodeBody(name, program, values.length), captures: names };
  return { body, captured: [...captures.keys(), ...lifted.values()], outputs };
}

function nameOf(id: number): string {
  return `v${id}`;
}

/** Constants that a body cannot hold itself become constants of the graph around it, by their id in the body. */
function liftConstants(outer: Recorder, { constants, types }: Program): Map<number, RecordedValue> {
  const lifted = [...constants].flatMap(([id, { data }]): [number, RecordedValue][] => {
    const { dtype, shape } = typeOf(types, id);
    if (isScalar(dtype, shape.length)) return [];
    return [[id, outer.constant(data, { dtype, shape: shape.map(({ constant }) => constant) })]];
  });
  return new Map(lifted);
}

function isScalar(dtype: string, rank: number): boolean {
  return dtype === "f32" && rank === 0;
}

function encodeBody(name: string, program: Program, nInputs: number): BodyGraph {
  const integers: Record<string, readonly number[]> = {};
  const outputs = [...program.outputs.values()];
  const produced = new Set(program.nodes.flatMap((node) => node.outputs));
  // A result goes by the name of the output; what is no result of a node, or is one twice, is copied to it.
  const isDirect = (id: number, i: number) => produced.has(id) && outputs.indexOf(id) === i;
  const nameIn = (id: number) => (produced.has(id) && outputs.includes(id) ? `out.${outputs.indexOf(id)}` : nameOf(id));
  const operand = (read: ProgramOperand): string => {
    if (read.kind === "none") return "";
    if (read.kind === "value") return nameIn(read.id);
    const values = read.dims.map(({ constant }) => constant);
    const key = `dims.${values.join(".")}`;
    integers[key] = values;
    return key;
  };
  const nodes = program.nodes.map((node): BodyNode => {
    const attributes = attributesOf(node, program);
    const { op, domain } = node;
    return { op, domain, inputs: node.operands.map(operand), outputs: node.outputs.map(nameIn), attributes };
  });
  const copies = outputs.flatMap((id, i): BodyNode[] =>
    isDirect(id, i) ? [] : [{ op: "Identity", inputs: [nameIn(id)], outputs: [`out.${i}`] }],
  );
  const port = (id: number, own: string) => ({ name: own, dtype: typeOf(program.types, id).dtype });
  return {
    name,
    inputs: program.inputs.slice(0, nInputs).map((id) => port(id, nameOf(id))),
    outputs: outputs.map((id, i) => port(id, `out.${i}`)),
    nodes: [...nodes, ...copies],
    integers,
    floats: scalarsOf(program),
  };
}

function scalarsOf({ constants, types }: Program): Record<string, number> {
  const scalars = [...constants].flatMap(([id, { data }]) => {
    const { dtype, shape } = typeOf(types, id);
    return isScalar(dtype, shape.length) ? [[nameOf(id), Number(data[0])] as const] : [];
  });
  return Object.fromEntries(scalars);
}

function attributesOf(node: ProgramNode, program: Program): Record<string, BodyAttribute> {
  if (node.op === "Cast") return { to: onnxTypeOf(typeOf(program.types, node.outputs[0] ?? Number.NaN).dtype) };
  return Object.fromEntries(Object.entries(node.attributes).map(([key, value]) => [key, bodyAttribute(value)]));
}

function bodyAttribute(attribute: Attribute): BodyAttribute {
  switch (attribute.kind) {
    case "float":
      return { float: attribute.value };
    case "body":
      throw new DomainError("UNSUPPORTED_OPERATION", "a loop inside the recorded body of a loop cannot be captured");
    default:
      return attribute.value;
  }
}
