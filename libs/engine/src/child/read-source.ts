import { DomainError } from "@parfocal/errors";
import { type ObjectStore, readThenVerify, type SharedPool } from "@parfocal/store";
import { elementCount, tensorBytes } from "../element-types.ts";
import type { StoredSource } from "../wire.ts";

/** Bytes that begin at `offset` of a buffer that keeps `size` bytes alive. */
export interface SourceBytes {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  readonly offset: number;
  readonly size: number;
}

/** What a source's tensor is made of. */
export interface ReadBytes {
  readonly bytes: SourceBytes;
  /** Rejects with `CORRUPT` when the object is another one. Absent: there is nothing to wait for. */
  readonly verified?: Promise<void>;
}

/** How a source is read. */
export interface ReadSourceOptions {
  /** Whether halves become f32. */
  readonly isWidened: boolean;
  /** Where the memory of what is verified comes from. */
  readonly pool: SharedPool;
  readonly signal: AbortSignal;
}

/**
 * The bytes of a source; those of an object that is to be verified come with the whole of it, in shared memory of the pool unless
 * they had to be copied.
 *
 * @throws {DomainError} TRUNCATED when the object ends before the tensor does; what the store throws
 */
export async function readSource(
  store: ObjectStore,
  source: StoredSource,
  options: ReadSourceOptions,
): Promise<ReadBytes> {
  const { bytes: stored, verified, whole } = await readBytes(store, source, options);
  const bytes = options.isWidened ? widenHalves(source.shape, stored) : stored;
  // Of what was copied only the hash needs the rest.
  if (whole !== undefined && bytes.buffer !== whole)
    verified?.then(() => options.pool.give(whole)).catch(() => undefined);
  return { bytes, ...(verified && { verified }) };
}

/** Also the memory of the whole object, where that was read. */
type StoredBytes = ReadBytes & { readonly whole?: SharedArrayBuffer };

async function readBytes(
  store: ObjectStore,
  source: StoredSource,
  { pool, signal }: ReadSourceOptions,
): Promise<StoredBytes> {
  if (source.verify === undefined) {
    const buffer = await readRange(store, source, signal);
    return { bytes: { buffer, offset: 0, size: buffer.byteLength } };
  }
  const { bytes: whole, verified } = await readThenVerify(store, source.key, { ...source.verify, pool, signal });
  const end = source.offsetBytes + tensorBytes(source.dtype, source.shape);
  if (end > whole.byteLength) {
    await verified;
    throw new DomainError("TRUNCATED", `the tensor ends at byte ${end} of an object of ${whole.byteLength} bytes`);
  }
  return { bytes: alignedBytes(whole, source.offsetBytes, end), verified, whole: whole.buffer };
}

/** The runtime's loops and typed arrays want aligned memory: canonical bags have it, other objects are copied. */
const ALIGNMENT_BYTES = 64;

function alignedBytes(whole: Uint8Array<SharedArrayBuffer>, start: number, end: number): SourceBytes {
  if (start % ALIGNMENT_BYTES === 0) return { buffer: whole.buffer, offset: start, size: whole.buffer.byteLength };
  const { buffer } = new Uint8Array(whole.subarray(start, end));
  return { buffer, offset: 0, size: end - start };
}

async function readRange(store: ObjectStore, source: StoredSource, signal: AbortSignal): Promise<ArrayBuffer> {
  const start = source.offsetBytes;
  const needed = tensorBytes(source.dtype, source.shape);
  if (needed === 0) return new ArrayBuffer(0);
  const range = { start, end: start + needed };
  const { bytes } = await store.get(source.key, { range, ifMatch: source.etag, signal });
  if (bytes.byteLength !== needed) {
    throw new DomainError("TRUNCATED", `a range of ${needed} bytes came back with ${bytes.byteLength}`);
  }
  // Stores may hand out a view into a pool; the runtime wants its own, aligned buffer.
  const { buffer } = bytes;
  const isWhole = bytes.byteOffset === 0 && buffer.byteLength === needed && buffer instanceof ArrayBuffer;
  return isWhole ? buffer : new Uint8Array(bytes).buffer;
}

/** Widens 16-bit floats exactly; little-endian words in, f32 out. */
function widenHalves(shape: readonly number[], { buffer, offset }: SourceBytes): SourceBytes {
  const wide = new Float32Array(new Float16Array(buffer, offset, elementCount(shape)));
  return { buffer: wide.buffer, offset: 0, size: wide.byteLength };
}
