import { type AttributeProto, AttributeProto_AttributeType, TensorProto_DataType } from "../gen/onnx/onnx.ts";
import type { GraphType } from "../graph.ts";
import type { Attribute } from "./recording.ts";

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
export function onnxTypeOf(dtype: GraphType): number {
  return ONNX_TYPES[dtype];
}

/** An attribute whose value needs no names. */
export function encodeAttribute(
  name: string,
  attribute: Exclude<Attribute, { readonly kind: "body" }>,
): AttributeProto {
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
