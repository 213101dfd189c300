import { DomainError } from "@parfocal/errors";
import { tf, withBackend } from "@parfocal/tensor";
import type { ElementType, HostTensor } from "../engine-port.ts";

/** A tensor in memory that tfjs knows: halves are widened, other types of integers become i32. */
export type PlainValues = Float32Array | Int32Array | Uint8Array;

/** The elements of a tensor's bytes as tfjs takes them; copied. */
export function plainValues(dtype: ElementType, bytes: Uint8Array): PlainValues {
  const { buffer } = new Uint8Array(bytes);
  switch (dtype) {
    case "f32":
      return new Float32Array(buffer);
    case "f16":
      return Float32Array.from(new Float16Array(buffer));
    case "i32":
      return new Int32Array(buffer);
    case "i64":
      return Int32Array.from(new BigInt64Array(buffer), Number);
    case "u16":
      return Int32Array.from(new Uint16Array(buffer));
    case "u8":
      return Int32Array.from(new Uint8Array(buffer));
    case "bool":
      return new Uint8Array(buffer);
  }
}

/**
 * A tfjs tensor of plain values; bytes are truth values. It lies on `backend` from the start: some of TensorFlow's kernels do not
 * fetch what lies elsewhere.
 */
export function tensorOf(values: PlainValues, shape: readonly number[], backend: string): tf.Tensor {
  const dtype = values instanceof Float32Array ? "float32" : values instanceof Int32Array ? "int32" : "bool";
  return withBackend(backend, () => tf.tensor(values, [...shape], dtype));
}

/** A tfjs tensor as the engine gives it, copied. @throws {DomainError} `INTERNAL` for texts and complex numbers. */
export function hostTensorOf(tensor: tf.Tensor): HostTensor {
  const types: Readonly<Record<string, ElementType>> = { float32: "f32", int32: "i32", bool: "bool" };
  const dtype = types[tensor.dtype];
  if (dtype === undefined) throw new DomainError("INTERNAL", `an eager run gave a tensor of ${tensor.dtype}`);
  const values = tensor.dataSync().slice();
  return { dtype, shape: [...tensor.shape], data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}
