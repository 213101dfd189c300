/** A dimension: a number, or the name of a symbolic one (`"N"`) that any run may choose. */
export type Dim = number | string;

/** Element types of graph inputs and outputs. `u16` inputs carry random words and are widened inside the graph. */
export type GraphType = "f32" | "f16" | "i32" | "i64" | "u8" | "u16" | "bool";

/** A named input or output of a graph. */
export interface GraphPort {
  readonly name: string;
  readonly dtype: GraphType;
  readonly shape: readonly Dim[];
}

/** A captured computation as a self-contained ONNX model. Immutable; equal digests mean equal bytes. */
export interface CapturedGraph {
  /** SHA-256 of `model`, lower-case hex: the key under which engines cache sessions. */
  readonly digest: string;
  /** Serialised ONNX `ModelProto`. */
  readonly model: Uint8Array;
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly GraphPort[];
}
