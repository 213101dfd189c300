import { DomainError } from "@parfocal/errors";
import { elementBytesOf } from "../safetensors/dtype.ts";
import { alignedTo, type SafetensorsTensor } from "../safetensors/parse-safetensors.ts";

/**
 * The elements of a tensor as doubles, exact for every dtype but 64-bit integers beyond 2^53.
 *
 * @throws {DomainError} UNSUPPORTED_FORMAT for 8-bit floats.
 */
export function float64FromTensor(tensor: SafetensorsTensor): Float64Array {
  const bytes = alignedTo(tensor.data, elementBytesOf(tensor.dtype));
  const { buffer, byteOffset } = bytes;
  const length = bytes.byteLength / elementBytesOf(tensor.dtype);
  switch (tensor.dtype) {
    case "F64":
      return new Float64Array(buffer, byteOffset, length);
    case "F32":
      return Float64Array.from(new Float32Array(buffer, byteOffset, length));
    case "F16":
      return Float64Array.from(new Float16Array(buffer, byteOffset, length));
    case "BF16":
      return Float64Array.from(float32FromBfloat16(bytes));
    case "I64":
      return Float64Array.from(new BigInt64Array(buffer, byteOffset, length), Number);
    case "U64":
      return Float64Array.from(new BigUint64Array(buffer, byteOffset, length), Number);
    case "I32":
      return Float64Array.from(new Int32Array(buffer, byteOffset, length));
    case "U32":
      return Float64Array.from(new Uint32Array(buffer, byteOffset, length));
    case "I16":
      return Float64Array.from(new Int16Array(buffer, byteOffset, length));
    case "U16":
      return Float64Array.from(new Uint16Array(buffer, byteOffset, length));
    case "I8":
      return Float64Array.from(new Int8Array(buffer, byteOffset, length));
    case "U8":
    case "BOOL":
      return Float64Array.from(bytes);
    case "F8_E4M3":
    case "F8_E5M2":
      throw new DomainError("UNSUPPORTED_FORMAT", `values of dtype ${tensor.dtype} are not read`);
  }
}

/** Widens bfloat16 words to F32: exact, as a bfloat16 is the upper half of an F32. */
export function float32FromBfloat16(bytes: Uint8Array): Float32Array {
  const aligned = alignedTo(bytes, 2);
  const words = new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
  const wide = new Uint32Array(words.length);
  for (let index = 0; index < words.length; index += 1) wide[index] = (words[index] as number) << 16;
  return new Float32Array(wide.buffer);
}

/** A tensor without its leading axis when it has `rank` + 1 axes and the first is of size 1; else the tensor itself. */
export function squeezeLeading(tensor: SafetensorsTensor, rank: number): SafetensorsTensor {
  const { shape } = tensor;
  return shape.length === rank + 1 && shape[0] === 1 ? { ...tensor, shape: shape.slice(1) } : tensor;
}
