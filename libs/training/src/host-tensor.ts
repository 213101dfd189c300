import type { HostTensor } from "@parfocal/engine";
import { DomainError } from "@parfocal/errors";

/** An f32 tensor for the engine over the same memory. */
export function hostTensorFromFloats(shape: readonly number[], values: Float32Array): HostTensor {
  const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { dtype: "f32", shape, data };
}

/**
 * The values of an f32 tensor that came from the engine, copied.
 *
 * @throws {DomainError} `INTERNAL` when it is absent or of another type.
 */
export function floatsFromHostTensor(tensor: HostTensor | undefined, name: string): Float32Array<ArrayBuffer> {
  if (tensor?.dtype !== "f32") {
    throw new DomainError("INTERNAL", `the engine gave ${tensor?.dtype ?? "nothing"} for ${name}; f32 was asked for`);
  }
  const copy = new Uint8Array(tensor.data);
  return new Float32Array(copy.buffer, 0, copy.byteLength / 4);
}
