import type { GraphType } from "../graph.ts";
import type { BodyGraph } from "./body.ts";

/** Element storage of a constant. Width follows the dtype of its value. */
export type ConstantData = Float32Array | Int32Array | Uint8Array | BigInt64Array;

/** A value of a recorded graph. Dimensions are numbers and may carry sentinels. */
export interface RecordedValue {
  readonly id: number;
  readonly dtype: GraphType;
  readonly shape: readonly number[];
}

/** A one-dimensional i64 operand whose elements are dimensions, and so may carry sentinels: a shape, axes, a size. */
export interface DimsOperand {
  readonly dims: readonly number[];
}

/** What a node reads: a value, dimensions, or nothing (an optional input left out). */
export type RecordedOperand = RecordedValue | DimsOperand | undefined;

/** A node attribute. Attributes never carry sentinels: whatever depends on a dimension is an operand. */
export type Attribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "text"; readonly value: string }
  /** Captured values follow the node's own operands. */
  | { readonly kind: "body"; readonly value: BodyGraph };

/** Attributes of a node by name. */
export type Attributes = Readonly<Record<string, Attribute>>;

/** One ONNX node as a kernel emitted it. */
export interface RecordedNode {
  readonly op: string;
  /** Empty for the standard operators. */
  readonly domain: string;
  readonly attributes: Attributes;
  readonly operands: readonly RecordedOperand[];
  readonly outputs: readonly RecordedValue[];
  /** The tfjs kernel or operation that emitted it, for messages and node names. */
  readonly source: string;
}

/** A constant of a recorded graph. */
export interface RecordedConstant {
  readonly value: RecordedValue;
  readonly data: ConstantData;
  /** Set for weights that the caller named; they keep the name as initializers. */
  readonly name: string | undefined;
}

/** Everything one run of a build function emitted. */
export interface Recording {
  /** Raw port values in the order of the ports. */
  readonly inputs: readonly RecordedValue[];
  readonly constants: readonly RecordedConstant[];
  readonly nodes: readonly RecordedNode[];
  /** Symbols that follow from those of the inputs, and the i64 `[1]` values that hold their sizes. */
  readonly derived: ReadonlyMap<string, RecordedValue>;
  /** Results by output name, in the order the build function gave them. */
  readonly outputs: ReadonlyMap<string, RecordedValue>;
}

/** Whether an operand is a list of dimensions. */
export function isDimsOperand(operand: RecordedOperand): operand is DimsOperand {
  return operand !== undefined && "dims" in operand;
}

/** An i64 vector operand of dimensions, axes or sizes. */
export function dims(values: readonly number[]): DimsOperand {
  return { dims: [...values] };
}

/** An integer attribute. */
export function int(value: number): Attribute {
  return { kind: "int", value };
}

/** A float attribute. */
export function float(value: number): Attribute {
  return { kind: "float", value };
}

/** An attribute of integers. */
export function ints(value: readonly number[]): Attribute {
  return { kind: "ints", value };
}

/** A text attribute. */
export function text(value: string): Attribute {
  return { kind: "text", value };
}

/** The body of a loop. */
export function body(value: BodyGraph): Attribute {
  return { kind: "body", value };
}
