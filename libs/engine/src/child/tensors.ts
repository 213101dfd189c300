import { DomainError } from "@parfocal/errors";
import { elementCount } from "../element-types.ts";
import type { ElementType, HostTensor } from "../engine-port.ts";
import { copyTensor, unpackTensor, type WireTensor } from "../wire-tensor.ts";
import { Tensor } from "./onnxruntime.ts";

const TYPE_OF: Readonly<Record<ElementType, Tensor.Type>> = {
  f32: "float32",
  f16: "float16",
  i32: "int32",
  i64: "int64",
  u8: "uint8",
  u16: "uint16",
  bool: "bool",
};

const ELEMENT_OF: ReadonlyMap<string, ElementType> = new Map(
  Object.entries(TYPE_OF).map(([element, type]) => [type, element as ElementType]),
);

/** A runtime tensor over the bytes of a buffer from `offset` on, which must be aligned to 64 bytes. No copy. */
export function tensorFromBytes(
  dtype: ElementType,
  shape: readonly number[],
  buffer: ArrayBufferLike,
  offset = 0,
): Tensor {
  const dims = [...shape];
  const length = elementCount(shape);
  switch (dtype) {
    case "f32":
      return new Tensor("float32", new Float32Array(buffer, offset, length), dims);
    case "f16":
      return new Tensor("float16", new Uint16Array(buffer, offset, length), dims);
    case "i32":
      return new Tensor("int32", new Int32Array(buffer, offset, length), dims);
    case "i64":
      return new Tensor("int64", new BigInt64Array(buffer, offset, length), dims);
    case "u8":
      return new Tensor("uint8", new Uint8Array(buffer, offset, length), dims);
    case "u16":
      return new Tensor("uint16", new Uint16Array(buffer, offset, length), dims);
    case "bool":
      return new Tensor("bool", new Uint8Array(buffer, offset, length), dims);
  }
}

/** A runtime tensor over a copy of bytes that came in the message. */
export function tensorFromMessage(tensor: HostTensor): Tensor {
  const { dtype, shape, data } = copyTensor(tensor);
  return tensorFromBytes(dtype, shape, data.buffer);
}

/** A runtime tensor over a copy of the bytes that came, in the message or by file. */
export async function tensorFromWire(wire: WireTensor): Promise<Tensor> {
  const { dtype, shape, data } = await unpackTensor(wire);
  return tensorFromBytes(dtype, shape, data.buffer);
}

/** The tensor as bytes; a view of the runtime tensor's memory. */
export function hostFromTensor(tensor: Tensor): HostTensor {
  const data = tensor.data;
  if (Array.isArray(data)) throw new DomainError("UNSUPPORTED_FORMAT", "a tensor of strings cannot leave the engine");
  return {
    dtype: elementOf(tensor),
    shape: tensor.dims,
    data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

/**
 * The element type of a runtime tensor.
 *
 * @throws {DomainError} UNSUPPORTED_FORMAT when the engine has no name for it
 */
export function elementOf(tensor: Tensor): ElementType {
  const element = ELEMENT_OF.get(tensor.type);
  if (element !== undefined) return element;
  throw new DomainError(
    "UNSUPPORTED_FORMAT",
    `a tensor of ${tensor.type} is none of ${[...ELEMENT_OF.values()].join(", ")}`,
  );
}
