import { float32FromTensor, parseSafetensors } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import { commonV1 } from "@parfocal/protocol";
import { keyFromUri, type ObjectStore, readVerified } from "@parfocal/store";

/**
 * The values of an array that a stage gave, f32, wherever they are.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` when they are more than `maxBytes`: they are not brought into memory; `INTERNAL` for an array
 * that is no array; what the store throws.
 */
export async function readArray(
  store: ObjectStore,
  { value, shape, dtype }: commonV1.ArrayResult,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Float32Array> {
  const sizeBytes = shape.reduce((product, size) => product * size, 4);
  if (value === undefined || dtype !== commonV1.DataType.DATA_TYPE_F32) {
    throw new DomainError("INTERNAL", "a stage answered with an array that is none of f32 values");
  }
  if (sizeBytes > maxBytes) throw tooLarge(sizeBytes, maxBytes);
  if (value.$case === "inline") return floatsOf(value.value);
  const { uri, sha256: digest, sizeBytes: objectBytes } = value.value;
  const bytes = await readVerified(store, keyFromUri(store, uri), { digest, sizeBytes: Number(objectBytes), signal });
  const tensor = parseSafetensors(bytes).tensors.get("values");
  if (tensor === undefined) throw new DomainError("INTERNAL", "a stage's array has no values");
  return float32FromTensor(tensor);
}

function floatsOf(bytes: Uint8Array): Float32Array {
  // A copy: a view into a message begins anywhere, and f32 values begin on a multiple of four.
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

function tooLarge(value: number, bound: number): DomainError {
  const message = `the weights of the tiles are ${value} bytes, ${bound} travel in an answer; Predict of PredictionService gives them by reference`;
  return new DomainError("PRECONDITION_FAILED", message, { details: { value: String(value), bound: String(bound) } });
}
