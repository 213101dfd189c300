import type { GraphType } from "../graph.ts";

/** A value that enters or leaves a body. Its shape is the runtime's business. */
export interface BodyPort {
  readonly name: string;
  readonly dtype: GraphType;
}

/** A node of a body. */
export interface BodyNode {
  readonly op: string;
  readonly domain?: string;
  /** Names of what it reads; empty for an optional input left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, BodyAttribute>>;
}

/** A constant that a body holds itself. */
export interface BodyTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** An attribute of such a node: a whole number, a fraction, a word, whole numbers, or the body of a loop inside. */
export type BodyAttribute = number | { readonly float: number } | string | readonly number[] | BodyGraph;

/**
 * The body of an ONNX `Loop` or `Scan` as plain data. Every name is its own throughout the body and the bodies inside it;
 * the encoder keeps them apart from the names of the graph around. Sizes inside are found by the runtime (`Shape`, `-1`),
 * so that the proof of symbolic dimensions has nothing to look at here: a body must not be built from a shape.
 */
export interface BodyGraph {
  readonly name: string;
  readonly inputs: readonly BodyPort[];
  readonly outputs: readonly BodyPort[];
  readonly nodes: readonly BodyNode[];
  /** i64 vectors by name. */
  readonly integers?: Readonly<Record<string, readonly number[]>>;
  /** f32 scalars by name. */
  readonly floats?: Readonly<Record<string, number>>;
  /** f32 tensors by name: for what the runtime must find in the body itself to arrange it beforehand. */
  readonly tensors?: Readonly<Record<string, BodyTensor>>;
  /**
   * Names under which the body reads values of the graph around it: they stand for the last operands of the node that has
   * the body, in their order.
   */
  readonly captures?: readonly string[];
}
