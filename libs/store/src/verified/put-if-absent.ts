import { DomainError, isDomainError } from "@parfocal/errors";
import type { ObjectStore } from "../object-store.ts";
import { assertDigest, digestMismatch } from "./digest.ts";
import { createStreamHash } from "./stream-hash.ts";

/** How to write a content-addressed object. */
export interface PutIfAbsentOptions {
  /** Appended to the key after the digest, e.g. `.safetensors`. */
  readonly suffix?: string;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

/** What {@link putIfAbsent} found or made. */
export interface ContentObject {
  readonly key: string;
  /** SHA-256 of the content, 64 hexadecimal digits. */
  readonly digest: string;
  readonly sizeBytes: number;
  /** False when the same content was there. */
  readonly isNew: boolean;
}

/** SHA-256 of bytes as 64 hexadecimal digits; large ones are hashed on another thread. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const hash = createStreamHash(bytes.length);
  hash.update(bytes);
  return hash.digest();
}

/**
 * Writes bytes under the name of their content, `<prefix>/<sha256><suffix>`, unless they are there. Writing the same
 * bytes again, from anywhere, is harmless; bytes never enter under a name that is not theirs.
 *
 * @param sha256 the digest if it is known; it is checked.
 * @throws {DomainError} CORRUPT when the bytes are not those of `sha256`, or what stands under the name has another size.
 */
export async function putIfAbsent(
  store: ObjectStore,
  prefix: string,
  bytes: Uint8Array,
  sha256?: string,
  options: PutIfAbsentOptions = {},
): Promise<ContentObject> {
  if (sha256 !== undefined) assertDigest(sha256);
  const digest = await sha256Hex(bytes);
  if (sha256 !== undefined && sha256 !== digest) throw digestMismatch(sha256, digest);
  const { suffix = "", ...call } = options;
  const key = `${prefix}/${digest}${suffix}`;
  const object = { key, digest, sizeBytes: bytes.length };
  const callOptions = call.signal === undefined ? {} : { signal: call.signal };
  try {
    await store.put(key, bytes, { ...call, ifNoneMatch: "*" });
    return { ...object, isNew: true };
  } catch (error) {
    if (!isDomainError(error, "PRECONDITION_FAILED")) throw error;
  }
  const { sizeBytes } = await store.head(key, callOptions);
  if (sizeBytes === bytes.length) return { ...object, isNew: false };
  throw new DomainError("CORRUPT", `a content-addressed object has ${sizeBytes} bytes, its content ${bytes.length}`);
}
