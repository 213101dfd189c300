import { encodeSafetensors } from "@parfocal/bags";
import { commonV1 } from "@parfocal/protocol";
import { type ObjectStore, putIfAbsent, uriFromKey } from "@parfocal/store";

/** Largest array that travels in a message: a quarter of gRPC's usual limit. */
const MAX_INLINE_BYTES = 1024 * 1024;

/** Where an array goes that is too large for a message. */
export interface ArrayPlace {
  readonly store: ObjectStore;
  /** Folder of the object, without a trailing slash. */
  readonly folder: string;
  readonly name: string;
  readonly signal: AbortSignal;
}

/** A row-major f32 array as the contract gives it: inline up to 1 MiB, else a safetensors object with `values`. */
export async function arrayResult(
  { store, folder, name, signal }: ArrayPlace,
  values: Float32Array,
  shape: readonly number[],
): Promise<commonV1.ArrayResult> {
  const result = { shape: [...shape], dtype: commonV1.DataType.DATA_TYPE_F32 };
  if (values.byteLength <= MAX_INLINE_BYTES) {
    const inline = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    return { ...result, value: { $case: "inline", value: inline } };
  }
  const bytes = encodeSafetensors(new Map([["values", { dtype: "F32", shape, data: values }]]));
  const put = await putIfAbsent(store, `${folder}/${name}`, bytes, undefined, { signal, suffix: ".safetensors" });
  const object = { uri: uriFromKey(store, put.key), sha256: put.digest, sizeBytes: BigInt(put.sizeBytes) };
  return { ...result, value: { $case: "object", value: object } };
}
