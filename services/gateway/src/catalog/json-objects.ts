import { DomainError, isDomainError } from "@parfocal/errors";
import type { CallOptions, ObjectStore, PutOptions } from "@parfocal/store";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** A small JSON object of the store with the tag a compare-and-swap needs. */
export interface JsonObject<T> {
  readonly value: T;
  readonly etag: string;
  readonly sizeBytes: number;
}

/**
 * Reads a small JSON object; `undefined` when there is none.
 *
 * @throws {DomainError} `CORRUPT` when it is not JSON that `parse` accepts; the store's own codes.
 */
export async function readJson<T>(
  store: ObjectStore,
  key: string,
  parse: (json: unknown) => T,
  options: CallOptions = {},
): Promise<JsonObject<T> | undefined> {
  try {
    const { bytes, etag, sizeBytes } = await store.get(key, options);
    return { value: parseJson(bytes, parse), etag, sizeBytes };
  } catch (error) {
    if (isDomainError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

function parseJson<T>(bytes: Uint8Array, parse: (json: unknown) => T): T {
  try {
    return parse(JSON.parse(decoder.decode(bytes)) as unknown);
  } catch (error) {
    throw new DomainError("CORRUPT", `a catalog entry of ${bytes.byteLength} bytes is not what was written`, {
      cause: error,
    });
  }
}

/** Writes a small JSON object under a condition. @throws {DomainError} the store's own codes. */
export async function writeJson(store: ObjectStore, key: string, value: unknown, options: PutOptions): Promise<void> {
  await store.put(key, encoder.encode(JSON.stringify(value)), { contentType: "application/json", ...options });
}

/** Writes a small JSON object unless one is there; tells whether it did. */
export async function createJson(
  store: ObjectStore,
  key: string,
  value: unknown,
  options: CallOptions = {},
): Promise<boolean> {
  try {
    await writeJson(store, key, value, { ...options, ifNoneMatch: "*" });
    return true;
  } catch (error) {
    if (isDomainError(error, "PRECONDITION_FAILED")) return false;
    throw error;
  }
}
