import type { GraphType } from "../graph.ts";
import type { Dimension } from "./dimension.ts";
import type { Attributes, ConstantData } from "./recording.ts";

/** What a node of a program reads. */
export type ProgramOperand =
  | { readonly kind: "value"; readonly id: number }
  | { readonly kind: "dims"; readonly dims: readonly Dimension[] }
  | { readonly kind: "none" };

/** A node whose every number is known to be a constant or a function of the symbols. */
export interface ProgramNode {
  readonly op: string;
  readonly domain: string;
  readonly attributes: Attributes;
  readonly operands: readonly ProgramOperand[];
  readonly outputs: readonly number[];
  readonly source: string;
}

/** Element type and symbolic shape of a value. */
export interface ProgramType {
  readonly dtype: GraphType;
  readonly shape: readonly Dimension[];
}

/** A dense constant; its shape is static. */
export interface ProgramConstant {
  readonly data: ConstantData;
  readonly name: string | undefined;
}

/** A recorded graph with symbolic dimensions: what the passes rewrite and the encoder writes. */
export interface Program {
  readonly types: ReadonlyMap<number, ProgramType>;
  readonly constants: ReadonlyMap<number, ProgramConstant>;
  /** In topological order. */
  readonly nodes: readonly ProgramNode[];
  readonly inputs: readonly number[];
  /** Symbols that follow from those of the inputs: the i64 `[1]` value that holds each size. */
  readonly derived: ReadonlyMap<string, number>;
  readonly outputs: ReadonlyMap<string, number>;
}

/** The operand that reads a value. */
export function valueOperand(id: number): ProgramOperand {
  return { kind: "value", id };
}

/** The type of a value of the program. */
export function typeOf(types: ReadonlyMap<number, ProgramType>, id: number): ProgramType {
  const type = types.get(id);
  if (type === undefined) throw new RangeError(`value ${id} has no type`);
  return type;
}
