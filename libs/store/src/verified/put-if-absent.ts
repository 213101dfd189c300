import { isDomainError } from "@parfocal/errors";
import type { PutBody } from "../body.ts";
import type { ObjectStore, PutOptions } from "../object-store.ts";
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

/** Content: one piece, or several one after another. */
type Content = Uint8Array | readonly Uint8Array[];

/** Below this size pieces are joined and sent as one body (a single request in every store), above it as a stream. */
const SINGLE_PUT_BYTES = 8 * 1024 * 1024;

/** SHA-256 of bytes as 64 hexadecimal digits; large ones are hashed on another thread. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return digestOfParts([bytes], bytes.length);
}

async function digestOfParts(parts: readonly Uint8Array[], sizeBytes: number): Promise<string> {
  const hash = createStreamHash(sizeBytes);
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function bodyOf(parts: readonly Uint8Array[], sizeBytes: number): Uint8Array | AsyncIterable<Uint8Array> {
  if (parts.length === 1) return parts[0] ?? new Uint8Array();
  return sizeBytes <= SINGLE_PUT_BYTES ? Buffer.concat(parts) : streamOf(parts);
}

async function* streamOf(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    for (let at = 0; at < part.length; at += SINGLE_PUT_BYTES) yield part.subarray(at, at + SINGLE_PUT_BYTES);
  }
}

/**
 * Writes bytes, in one piece or several, under the name of their content, `<prefix>/<sha256><suffix>`, unless they are there. Writing the same
 * bytes again, from anywhere, is harmless; bytes never enter under a name that is not theirs, and an object of another size, which lost some of
 * them, is replaced.
 *
 * @param sha256 the digest if it is known; it is checked.
 * @throws {DomainError} CORRUPT when the bytes are not those of `sha256`; what the store throws.
 */
export async function putIfAbsent(
  store: ObjectStore,
  prefix: string,
  content: Content,
  sha256?: string,
  options: PutIfAbsentOptions = {},
): Promise<ContentObject> {
  if (sha256 !== undefined) assertDigest(sha256);
  const parts = content instanceof Uint8Array ? [content] : content;
  const sizeBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const digest = await digestOfParts(parts, sizeBytes);
  if (sha256 !== undefined && sha256 !== digest) throw digestMismatch(sha256, digest);
  const { suffix = "", ...call } = options;
  const key = `${prefix}/${digest}${suffix}`;
  const object = { key, digest, sizeBytes };
  const isNew = await putContent(store, { key, sizeBytes }, () => bodyOf(parts, sizeBytes), call);
  return { ...object, isNew };
}

/** Options of {@link putContent}. */
type PutContentOptions = Omit<PutIfAbsentOptions, "suffix">;

/**
 * Writes an object that is named after its content unless it is there; one of another size is replaced, as its bytes cannot be those of its
 * name. Gives whether it was written.
 */
export async function putContent(
  store: ObjectStore,
  { key, sizeBytes }: Pick<ContentObject, "key" | "sizeBytes">,
  body: () => PutBody,
  options: PutContentOptions = {},
): Promise<boolean> {
  const put = (condition: Pick<PutOptions, "ifNoneMatch" | "ifMatch">) =>
    store.put(key, body(), { ...options, ...condition });
  if (await isPut(() => put({ ifNoneMatch: "*" }))) return true;
  const found = await store.head(key, options.signal === undefined ? {} : { signal: options.signal });
  if (found.sizeBytes === sizeBytes) return false;
  // Who is faster here writes the same.
  return isPut(() => put({ ifMatch: found.etag }));
}

/** Whether an object could be put under its condition. */
async function isPut(put: () => Promise<unknown>): Promise<boolean> {
  try {
    await put();
    return true;
  } catch (error) {
    if (isDomainError(error, "PRECONDITION_FAILED")) return false;
    throw error;
  }
}
