import { createHash } from "node:crypto";
import { posix } from "node:path";
import { DomainError, isDomainError } from "@parfocal/errors";
import { type CallOptions, type ObjectStore, streamVerified } from "@parfocal/store";
import type { BagRef } from "../bag.ts";
import { type BagHeader, readBagHeader } from "../bag-store.ts";
import { encodeSafetensors, type SafetensorsInput } from "../safetensors/encode-safetensors.ts";
import type { SafetensorsTensorInfo } from "../safetensors/parse-header.ts";
import { parseSafetensors } from "../safetensors/parse-safetensors.ts";
import { type BlockIndex, type RegionGrid, regionGridOf } from "./block-index.ts";
import { blockIndexFromBlocks, blockIndexOf } from "./block-index-of.ts";

/** A region bag of which is known where its tiles lie. */
export interface IndexedBag {
  readonly ref: BagRef;
  readonly header: BagHeader;
  readonly index: BlockIndex;
}

/**
 * Header and block index of a region bag by four small reads: ten bytes per tile, whatever their width. The digest is not
 * verified: that needs all bytes.
 *
 * @throws {DomainError} GEOMETRY_MISMATCH when it is no region bag; CORRUPT when its tiles are out of order; what
 * {@link readBagHeader} throws; PRECONDITION_FAILED when the object was replaced meanwhile.
 */
export async function readBlockIndex(store: ObjectStore, ref: BagRef, options: CallOptions = {}): Promise<IndexedBag> {
  const header = await readBagHeader(store, ref, options);
  const { coords, level, flags: bits, metadata, etag } = header;
  regionGridOf(metadata);
  const read = async (info: SafetensorsTensorInfo | undefined) => {
    if (info === undefined) throw new DomainError("CORRUPT", "the region bag lacks its coordinates or its levels");
    const range = { start: info.offsetBytes, end: info.offsetBytes + info.lengthBytes };
    const { bytes } = await store.get(ref.key, { ...options, range, ifMatch: etag });
    // A copy of its own: the bytes may begin anywhere in a larger buffer.
    return new Uint8Array(bytes);
  };
  const [pairs, levels, flags] = await Promise.all([read(coords), read(level), bits && read(bits)]);
  const tiles = { coords: new Int32Array(pairs.buffer), level: levels, ...(flags && { flags }), metadata };
  return { ref, header, index: blockIndexOf(tiles) };
}

/**
 * The same from a small object `index/<digest>.safetensors`, which a build leaves beside its bag; where it is not there, it is
 * looked for in `folder`, and made there: then all bytes of the bag are read once and checked by its digest. So an index
 * that is found says that its bag was verified.
 *
 * @throws {DomainError} as {@link readBlockIndex}; CORRUPT when the stored bag is another one.
 */
export async function openIndexedBag(
  store: ObjectStore,
  ref: BagRef,
  folder: string,
  options: CallOptions = {},
): Promise<IndexedBag> {
  const header = await readBagHeader(store, ref, options);
  const grid = regionGridOf(header.metadata);
  for (const place of [posix.dirname(ref.key), folder]) {
    const found = await findIndex(store, indexKey(place, ref), { grid, n: ref.n }, options);
    if (found !== undefined) return { ref, header, index: found };
  }
  await assertDigest(store, ref, options);
  const indexed = await readBlockIndex(store, ref, options);
  if (indexed.header.etag !== header.etag) {
    throw new DomainError("PRECONDITION_FAILED", "the region bag was replaced while it was read");
  }
  await writeIndex(store, folder, ref, indexed.index, options);
  return indexed;
}

/** Keeps the index of a bag whose bytes are known to be those of its digest. Equal indices have equal bytes. */
export async function writeIndex(
  store: ObjectStore,
  folder: string,
  ref: BagRef,
  { cells, present, pseudo, blockCount, wordCount }: BlockIndex,
  options: CallOptions = {},
): Promise<void> {
  const words = { dtype: "U32", shape: [blockCount, wordCount] } as const;
  const tensors = new Map<string, SafetensorsInput>([
    ["cells", { dtype: "I32", shape: [blockCount, 2], data: cells }],
    ["present", { ...words, data: present }],
    ...(pseudo === undefined ? [] : [["pseudo", { ...words, data: pseudo }] as const]),
  ]);
  const check = checkOf(cells, present, ...(pseudo === undefined ? [] : [pseudo]));
  await store.put(indexKey(folder, ref), encodeSafetensors(tensors, { check }), options);
}

/** The object is named after its bag, so it carries the digest of its own data. */
function checkOf(...parts: readonly (Int32Array | Uint32Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

function indexKey(folder: string, { digest }: BagRef): string {
  return `${folder}/index/${digest}.safetensors`;
}

/** The index, unless there is none or it does not fit its bag: then it is made anew. */
async function findIndex(
  store: ObjectStore,
  key: string,
  { grid, n }: { readonly grid: RegionGrid; readonly n: number },
  options: CallOptions,
): Promise<BlockIndex | undefined> {
  try {
    const { tensors, metadata } = parseSafetensors((await store.get(key, options)).bytes);
    const words = (name: string) => new Uint8Array(tensors.get(name)?.data ?? []).buffer;
    const [cells, present] = [new Int32Array(words("cells")), new Uint32Array(words("present"))];
    const pseudo = new Uint32Array(words("pseudo"));
    if (metadata.check !== checkOf(cells, present, pseudo)) return undefined;
    const index = blockIndexFromBlocks(grid, { cells, present, ...(pseudo.length > 0 && { pseudo }) });
    return index.tileCounts.reduce((sum, count) => sum + count, 0) === n ? index : undefined;
  } catch (error) {
    const isUseless = (["NOT_FOUND", "CORRUPT", "TRUNCATED", "UNSUPPORTED_FORMAT"] as const).some((code) =>
      isDomainError(error, code),
    );
    if (isUseless || error instanceof RangeError) return undefined;
    throw error;
  }
}

async function assertDigest(store: ObjectStore, ref: BagRef, options: CallOptions): Promise<void> {
  const { digest, sizeBytes } = ref;
  for await (const chunk of streamVerified(store, ref.key, { digest, sizeBytes, ...options })) void chunk;
}
