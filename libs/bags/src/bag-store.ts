import { DomainError, isDomainError } from "@parfocal/errors";
import type { CallOptions, ObjectBytes, ObjectStore } from "@parfocal/store";
import type { Bag, BagRef } from "./bag.ts";
import { blocksOf, digestOf } from "./digest.ts";
import { encodeBagParts } from "./encode-bag.ts";
import { type BagLayout, bagLayoutFromHeader, parseBag } from "./parse-bag.ts";
import { parseSafetensorsHeader, safetensorsHeaderEnd } from "./safetensors/parse-header.ts";
import { assertFileBytes } from "./safetensors/parse-safetensors.ts";

/** First read of a header: holds every header whose metadata are of ordinary length, in one request. */
const HEADER_GUESS_BYTES = 2_048;

/** Below this size a bag is sent as one body (a single request in every store), above it as a stream of parts. */
const SINGLE_PUT_BYTES = 8 * 1024 * 1024;

/** Where a stored bag keeps its tensors, and the version of the object that says so. */
export interface BagHeader extends BagLayout {
  /** Give it as `ifMatch` to the ranged reads that follow, so that a replaced object is noticed. */
  readonly etag: string;
  /** Size of the whole object. */
  readonly sizeBytes: number;
}

/**
 * Writes a bag under `${prefix}${digest}.safetensors`. Idempotent: writing an equal bag again finds it there and gives
 * the same reference. Tensors are hashed and uploaded as views, a second copy of a large bag is never made.
 *
 * @throws {DomainError} EMPTY_BAG, SHAPE_MISMATCH or NON_FINITE when it is no bag; CORRUPT when the key holds an object of
 * another size; what the store throws.
 */
export async function writeBag(
  store: ObjectStore,
  prefix: string,
  bag: Bag,
  options: CallOptions = {},
): Promise<BagRef> {
  const parts = encodeBagParts(bag);
  const { dtype } = bag.features;
  const written = await writeBagBytes(store, prefix, () => parts, options);
  return { ...written, n: bag.n, d: bag.d, dtype, hasCoords: bag.coords !== undefined };
}

/**
 * Writes the bytes of a canonical bag under their digest, as {@link writeBag} does. They are asked for twice, to be hashed
 * and to be sent, so that who makes them as they are needed never holds them all. The contents are not checked.
 *
 * @throws {DomainError} CORRUPT when the key holds an object of another size; what the store throws.
 */
export async function writeBagBytes(
  store: ObjectStore,
  prefix: string,
  parts: () => Iterable<Uint8Array>,
  options: CallOptions = {},
): Promise<Pick<BagRef, "key" | "digest" | "sizeBytes">> {
  let sizeBytes = 0;
  const digest = await digestOf(
    counted(parts(), (length) => (sizeBytes += length)),
    options.signal,
  );
  const key = `${prefix}${digest}.safetensors`;
  await putOnce(store, key, parts, sizeBytes, options);
  return { key, digest, sizeBytes };
}

function* counted(parts: Iterable<Uint8Array>, onPart: (length: number) => void): Generator<Uint8Array> {
  for (const part of parts) {
    onPart(part.length);
    yield part;
  }
}

/**
 * Reads a whole bag into memory, checks its digest and its contents.
 *
 * @throws {DomainError} CORRUPT when the digest is another one; INVALID_ARGUMENT when the reference describes another bag;
 * NOT_FOUND and whatever else the store throws; what {@link parseBag} throws.
 */
export async function readBag(store: ObjectStore, ref: BagRef, options: CallOptions = {}): Promise<Bag> {
  const { bytes } = await store.get(ref.key, options);
  const digest = await digestOf([bytes], options.signal);
  if (digest !== ref.digest) {
    const sizes = `${bytes.length} bytes are stored, the reference says ${ref.sizeBytes}`;
    throw new DomainError("CORRUPT", `the stored bag has another digest than its reference (${sizes})`);
  }
  const bag = parseBag(bytes);
  assertRefDescribes(ref, { n: bag.n, d: bag.d, dtype: bag.features.dtype, hasCoords: bag.coords !== undefined });
  return bag;
}

/**
 * Reads where a bag keeps its tensors, by one small ranged read (two when its metadata are unusually long), so that its
 * features can then be fetched by ranges. Does not verify the digest: that needs all bytes.
 *
 * @throws {DomainError} INVALID_ARGUMENT when the reference describes another bag; what the store and the header checks throw.
 */
export async function readBagHeader(store: ObjectStore, ref: BagRef, options: CallOptions = {}): Promise<BagHeader> {
  const header = await readHeaderOf(store, ref.key, ref.sizeBytes, options);
  assertRefDescribes(ref, refFieldsOf(header));
  return header;
}

/**
 * The reference of a stored bag from its key alone: digest from the key, the rest from the object's header.
 *
 * @throws {DomainError} INVALID_ARGUMENT when the key does not end in `<64 hex digits>.safetensors`; what
 * {@link readBagHeader} throws.
 */
export async function bagRefFromKey(store: ObjectStore, key: string, options: CallOptions = {}): Promise<BagRef> {
  const digest = /(?:^|[^0-9a-f])([0-9a-f]{64})\.safetensors$/u.exec(key)?.[1];
  if (digest === undefined) {
    throw new DomainError("INVALID_ARGUMENT", "the key of a bag ends in its SHA-256 (64 hex digits) and .safetensors");
  }
  const { sizeBytes } = await store.head(key, options);
  const header = await readHeaderOf(store, key, sizeBytes, options);
  return { key, digest, sizeBytes, ...refFieldsOf(header) };
}

type RefFields = Pick<BagRef, "n" | "d" | "dtype" | "hasCoords">;

function refFieldsOf(layout: BagLayout): RefFields {
  return { n: layout.n, d: layout.d, dtype: layout.features.dtype, hasCoords: layout.coords !== undefined };
}

function assertRefDescribes(ref: BagRef, found: RefFields): void {
  for (const field of ["n", "d", "dtype", "hasCoords"] as const) {
    if (ref[field] === found[field]) continue;
    throw new DomainError(
      "INVALID_ARGUMENT",
      `the bag reference says ${field} ${ref[field]}, the bag has ${found[field]}`,
    );
  }
}

async function readHeaderOf(
  store: ObjectStore,
  key: string,
  sizeBytes: number,
  options: CallOptions,
): Promise<BagHeader> {
  const first = await readPrefix(store, key, sizeBytes, options);
  const end = safetensorsHeaderEnd(first.bytes);
  let { bytes } = first;
  if (end > bytes.length && end <= first.sizeBytes) {
    ({ bytes } = await store.get(key, { ...options, range: { start: 0, end }, ifMatch: first.etag }));
  }
  const header = parseSafetensorsHeader(bytes);
  assertFileBytes(first.sizeBytes, header.fileBytes);
  return { ...bagLayoutFromHeader(header), etag: first.etag, sizeBytes: first.sizeBytes };
}

/** A store refuses a range beyond the end of its object; that an object is shorter than it was is worth telling as such. */
async function readPrefix(
  store: ObjectStore,
  key: string,
  sizeBytes: number,
  options: CallOptions,
): Promise<ObjectBytes> {
  const range = { start: 0, end: Math.min(sizeBytes, HEADER_GUESS_BYTES) };
  try {
    return await store.get(key, { ...options, range });
  } catch (error) {
    if (!isDomainError(error, "INVALID_ARGUMENT")) throw error;
    const found = await store.head(key, options);
    if (found.sizeBytes >= range.end) throw error;
    throw new DomainError("TRUNCATED", `the stored bag has ${found.sizeBytes} of ${sizeBytes} bytes`, { cause: error });
  }
}

async function putOnce(
  store: ObjectStore,
  key: string,
  parts: () => Iterable<Uint8Array>,
  sizeBytes: number,
  options: CallOptions,
): Promise<void> {
  if (await isThere(store, key, sizeBytes, options)) return;
  const body = sizeBytes <= SINGLE_PUT_BYTES ? Buffer.concat([...parts()]) : streamOf(parts());
  try {
    await store.put(key, body, { ...options, ifNoneMatch: "*", contentType: "application/octet-stream" });
  } catch (error) {
    // Another writer of the same bytes was faster: its object is ours.
    if (!isDomainError(error, "PRECONDITION_FAILED")) throw error;
  }
}

/** Asked first, because a bag imported twice would otherwise be uploaded whole only to be refused. */
async function isThere(store: ObjectStore, key: string, sizeBytes: number, options: CallOptions): Promise<boolean> {
  try {
    const found = await store.head(key, options);
    if (found.sizeBytes === sizeBytes) return true;
    throw new DomainError(
      "CORRUPT",
      `the store has ${found.sizeBytes} bytes under this digest, the bag has ${sizeBytes}`,
    );
  } catch (error) {
    if (isDomainError(error, "NOT_FOUND")) return false;
    throw error;
  }
}

async function* streamOf(parts: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* blocksOf(parts, SINGLE_PUT_BYTES);
}
