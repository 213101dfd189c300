import { DomainError } from "@parfocal/errors";
import type { ElementType, HostTensor } from "./engine-port.ts";

/** Bytes of one element. */
const ELEMENT_BYTES: Readonly<Record<ElementType, number>> = {
  f32: 4,
  f16: 2,
  i32: 4,
  i64: 8,
  u8: 1,
  u16: 2,
  bool: 1,
};

/**
 * Number of elements of a shape; 1 for `[]`.
 *
 * @throws {DomainError} INVALID_ARGUMENT when a dimension is not a whole number of at least 0
 */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dim of shape) {
    if (!Number.isSafeInteger(dim) || dim < 0) {
      throw new DomainError("INVALID_ARGUMENT", `a dimension must be a whole number of at least 0, got ${dim}`);
    }
    count *= dim;
  }
  return count;
}

/** Bytes of a dense tensor. */
export function tensorBytes(dtype: ElementType, shape: readonly number[]): number {
  return elementCount(shape) * ELEMENT_BYTES[dtype];
}

/**
 * Checks that a tensor's bytes are as many as its shape and element type say.
 *
 * @throws {DomainError} INVALID_ARGUMENT naming the tensor, the bytes it has and the bytes it needs
 */
export function assertHostTensor(name: string, tensor: HostTensor): void {
  const expected = tensorBytes(tensor.dtype, tensor.shape);
  if (tensor.data.byteLength === expected) return;
  throw new DomainError(
    "INVALID_ARGUMENT",
    `tensor "${name}" carries ${tensor.data.byteLength} bytes; ${tensor.dtype} [${tensor.shape.join(", ")}] needs ${expected}`,
  );
}
