import { DomainError } from "@parfocal/errors";
import type { SafetensorsDtype } from "./dtype.ts";
import { parseSafetensorsHeader, type SafetensorsTensorInfo } from "./parse-header.ts";

/** A tensor of a safetensors file: raw little-endian bytes, row-major. */
export interface SafetensorsTensor {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** A whole safetensors file. */
export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
}

/**
 * Parses a whole safetensors file. Tensors are views into `bytes`, nothing is copied.
 *
 * @throws {DomainError} TRUNCATED when bytes are missing; CORRUPT when the header breaks the format or bytes follow the
 * last tensor; UNSUPPORTED_FORMAT for a dtype that Parfocal does not read.
 */
export function parseSafetensors(bytes: Uint8Array): SafetensorsFile {
  const header = parseSafetensorsHeader(bytes);
  assertFileBytes(bytes.length, header.fileBytes);
  const tensors = new Map<string, SafetensorsTensor>();
  for (const [name, info] of header.tensors) tensors.set(name, viewOf(bytes, info));
  return { metadata: header.metadata, tensors };
}

/**
 * Checks the size of a safetensors object against what its header says.
 *
 * @throws {DomainError} TRUNCATED when the object is shorter; CORRUPT when it is longer.
 */
export function assertFileBytes(actual: number, wanted: number): void {
  if (actual < wanted) throw new DomainError("TRUNCATED", `the safetensors file has ${actual} of ${wanted} bytes`);
  if (actual > wanted) throw new DomainError("CORRUPT", `${actual - wanted} bytes follow the last safetensors tensor`);
}

/**
 * The values of an `F32` tensor: a view where the bytes lie on a multiple of four, else a copy.
 *
 * @throws {DomainError} SHAPE_MISMATCH when the tensor is not `F32`.
 */
export function float32FromTensor(tensor: SafetensorsTensor): Float32Array {
  if (tensor.dtype !== "F32") throw new DomainError("SHAPE_MISMATCH", `wanted an F32 tensor, got ${tensor.dtype}`);
  const data = alignedTo(tensor.data, 4);
  return new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4);
}

/** `bytes` itself where it begins on a multiple of `alignment` bytes of its buffer, else a copy that does. */
export function alignedTo(bytes: Uint8Array, alignment: number): Uint8Array {
  return bytes.byteOffset % alignment === 0 ? bytes : new Uint8Array(bytes);
}

function viewOf(bytes: Uint8Array, info: SafetensorsTensorInfo): SafetensorsTensor {
  const data = bytes.subarray(info.offsetBytes, info.offsetBytes + info.lengthBytes);
  return { dtype: info.dtype, shape: info.shape, data };
}
