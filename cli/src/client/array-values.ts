import { float32FromTensor, parseSafetensors } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { commonV1 } from "@parfocal/protocol";
import { openStore, readVerified, storeOptionsFromEnv } from "@parfocal/store";

/** An array with its shape. */
export interface ArrayValues {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly values: Float32Array;
}

/**
 * The values of an array that came back: from the message, or from the object of the store that it names, checked against its
 * digest.
 *
 * @throws {DomainError} `SHAPE_MISMATCH` when values and shape differ in number; the store's failures.
 */
export async function arrayValuesOf(
  array: commonV1.ArrayResult,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<ArrayValues> {
  const values = await readValues(array, env, signal);
  const wanted = array.shape.reduce((product, size) => product * size, 1);
  if (values.length === wanted) return { shape: array.shape, values };
  throw new DomainError("SHAPE_MISMATCH", `an array of ${wanted} values came with ${values.length}`);
}

async function readValues(
  { value }: commonV1.ArrayResult,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Float32Array> {
  switch (value?.$case) {
    case "inline":
      return new Float32Array(Uint8Array.from(value.value).buffer);
    case "object": {
      const { tensors } = parseSafetensors(await readObject(value.value, env, signal));
      const tensor = tensors.get("values");
      if (tensor === undefined) throw new DomainError("CORRUPT", "the array's object holds no tensor named values");
      return float32FromTensor(tensor);
    }
    case undefined:
      throw new DomainError("CORRUPT", "an array came without values");
  }
}

async function readObject(
  { uri, sha256, sizeBytes }: commonV1.ObjectReference,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const slash = uri.lastIndexOf("/");
  const store = openStore(uri.slice(0, slash), storeOptionsFromEnv(env));
  try {
    return await readVerified(store, uri.slice(slash + 1), { digest: sha256, sizeBytes: Number(sizeBytes), signal });
  } finally {
    store.close();
  }
}
