import { availableParallelism } from "node:os";
import { abortErrorFromSignal, DomainError, isDomainError } from "@parfocal/errors";
import type { ObjectInfo, ObjectStore } from "../object-store.ts";
import { assertDigest, digestMismatch } from "./digest.ts";
import { createPrefixTracker } from "./prefix-tracker.ts";
import { allocateShared } from "./shared-memory.ts";
import type { SharedPool } from "./shared-pool.ts";
import { createStreamHash, type StreamHash } from "./stream-hash.ts";

/** What an object must be, and how to read it. */
export interface VerifiedReadOptions {
  /** SHA-256 of the whole content, 64 lower-case hexadecimal digits. */
  readonly digest: string;
  /** Bytes of the whole content: they are allocated before anything is read. */
  readonly sizeBytes: number;
  /** Size of the ranges that are read at the same time. Default 32 MiB. */
  readonly partSizeBytes?: number;
  /** Ranges in flight. Default: the cores less one, 1 to 4. */
  readonly maxConcurrency?: number;
  readonly signal?: AbortSignal;
}

const DEFAULT_PART_BYTES = 32 * 1024 * 1024;

/** One core hashes; more requests than there are other cores only take turns (docs/storage.md has the measurement). */
const DEFAULT_CONCURRENCY = Math.max(1, Math.min(4, availableParallelism() - 1));

/**
 * Reads a whole object into one buffer, by ranges in parallel, each pinned to the same version, and checks size and
 * SHA-256. The digest is computed while bytes arrive. Memory: the object and 4 MiB. What does not have its digest is read
 * once more: damage on the way is gone then, damage in the store is not.
 *
 * @throws {DomainError} CORRUPT when size or digest differ (the message has the first 12 digits of both);
 *   PRECONDITION_FAILED when the object is replaced meanwhile; NOT_FOUND and the other failures of the store.
 */
export async function readVerified(store: ObjectStore, key: string, options: VerifiedReadOptions): Promise<Uint8Array> {
  try {
    return await readOnce(store, key, options);
  } catch (error) {
    if (!isDomainError(error, "CORRUPT")) throw error;
    return readOnce(store, key, options);
  }
}

async function readOnce(store: ObjectStore, key: string, options: VerifiedReadOptions): Promise<Uint8Array> {
  const { bytes, verified } = await readInto(store, key, options, (sizeBytes) => new Uint8Array(sizeBytes));
  await verified;
  return bytes;
}

/** An object that was read and whose digest is being computed. */
export interface UnverifiedObject {
  /** In shared memory, so that another thread can hash them while this one uses them. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** Rejects with `CORRUPT` when the digest is another one: nothing made of the bytes may be told before it resolves. */
  readonly verified: Promise<void>;
}

/**
 * {@link readVerified} for who has something to do meanwhile: gives the bytes as soon as they are there. The digest of what is
 * 8 MiB or more is computed on another thread and does not need this one. `verified` must be awaited.
 */
export function readThenVerify(
  store: ObjectStore,
  key: string,
  options: VerifiedReadOptions & {
    /** Where the memory comes from; what fails does not go back to it. Default: new memory. */
    readonly pool?: Pick<SharedPool, "take">;
  },
): Promise<UnverifiedObject> {
  return readInto(store, key, options, options.pool?.take ?? allocateShared);
}

async function readInto<Bytes extends Uint8Array>(
  store: ObjectStore,
  key: string,
  options: VerifiedReadOptions,
  allocate: (sizeBytes: number) => Bytes,
): Promise<{ readonly bytes: Bytes; readonly verified: Promise<void> }> {
  assertDigest(options.digest);
  const info = await store.head(key, options.signal === undefined ? {} : { signal: options.signal });
  if (info.sizeBytes !== options.sizeBytes) {
    throw new DomainError("CORRUPT", `the object has ${info.sizeBytes} bytes, expected ${options.sizeBytes}`);
  }
  const bytes = allocate(options.sizeBytes);
  const hash = createStreamHash(options.sizeBytes);
  try {
    await readParts(store, info, bytes, hash, options);
  } catch (error) {
    hash.abandon();
    throw error;
  }
  const verified = checkDigest(hash, options.digest);
  // Awaited later: until then its failure must not count as unhandled.
  verified.catch(() => undefined);
  return { bytes, verified };
}

async function checkDigest(hash: StreamHash, expected: string): Promise<void> {
  try {
    const actual = await hash.digest();
    if (actual !== expected) throw digestMismatch(expected, actual);
  } finally {
    hash.abandon();
  }
}

/**
 * An object's bytes as they arrive, in order, checked at the end: a consumer must not trust what it made of them before
 * the last chunk was followed by the end. Chunks must not be changed while they are hashed, that is until the end.
 *
 * @throws {DomainError} CORRUPT after the last chunk when size or digest differ; the failures of the store.
 */
export async function* streamVerified(
  store: ObjectStore,
  key: string,
  { digest, sizeBytes, signal }: Pick<VerifiedReadOptions, "digest" | "sizeBytes" | "signal">,
): AsyncGenerator<Uint8Array> {
  assertDigest(digest);
  const hash = createStreamHash(sizeBytes);
  let nBytes = 0;
  try {
    const { chunks } = await store.getStream(key, signal === undefined ? {} : { signal });
    for await (const chunk of chunks) {
      nBytes += chunk.length;
      hash.update(chunk);
      yield chunk;
    }
    if (nBytes !== sizeBytes) throw new DomainError("CORRUPT", `the object has ${nBytes} bytes, expected ${sizeBytes}`);
    const actual = await hash.digest();
    if (actual !== digest) throw digestMismatch(digest, actual);
  } finally {
    hash.abandon();
  }
}

async function readParts(
  store: ObjectStore,
  info: ObjectInfo,
  target: Uint8Array,
  hash: StreamHash,
  { partSizeBytes = DEFAULT_PART_BYTES, maxConcurrency = DEFAULT_CONCURRENCY, signal: outer }: VerifiedReadOptions,
): Promise<void> {
  const failure = new AbortController();
  const signal = outer === undefined ? failure.signal : AbortSignal.any([outer, failure.signal]);
  const tracker = createPrefixTracker(target.length, partSizeBytes, (from, to) =>
    hash.update(target.subarray(from, to)),
  );
  let nextStart = 0;
  const worker = async () => {
    while (nextStart < target.length && !signal.aborted) {
      const start = nextStart;
      nextStart += partSizeBytes;
      const range = { start, end: Math.min(start + partSizeBytes, target.length) };
      const into = target.subarray(range.start, range.end);
      const { chunks } = await store.getStream(info.key, { range, ifMatch: info.etag, into, signal });
      let at = start;
      for await (const chunk of chunks) {
        if (chunk.buffer !== target.buffer) target.set(chunk, at);
        at += chunk.length;
        tracker.advance(start, at);
      }
    }
  };
  // The first reason stays: what the others fail with is its consequence.
  const stopAll = (error: unknown) => failure.abort(error);
  await Promise.all(Array.from({ length: maxConcurrency }, () => worker().catch(stopAll)));
  if (outer?.aborted) throw abortErrorFromSignal(outer);
  if (failure.signal.aborted) throw failure.signal.reason;
}
