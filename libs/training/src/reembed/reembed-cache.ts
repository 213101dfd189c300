import { type BagRef, derivedFolder } from "@parfocal/bags";
import { type DomainErrorCode, isDomainError } from "@parfocal/errors";
import { createConfigReader } from "@parfocal/models";
import { type CallOptions, type ObjectStore, streamVerified } from "@parfocal/store";

/** Where the re-embedding of one bag by one re-embedder is kept. */
export interface ReembedSlot {
  /** Folder of the re-embedded bag, whose name is its own digest. */
  readonly folder: string;
  /** The bag that is kept here, if it is still in the store. One that is damaged is deleted: nobody could write it anew beside it. */
  find(options?: FindOptions): Promise<BagRef | undefined>;
  /** Remembers the bag that was written. */
  remember(ref: BagRef, options?: CallOptions): Promise<void>;
}

/** Options of {@link ReembedSlot.find}. */
interface FindOptions extends CallOptions {
  /** Whether its bytes are read and compared with its digest; otherwise only its size is. Default: no. */
  readonly verifies?: boolean;
}

/** What is said of a pointer that leads nowhere, or whose bytes the store itself finds to be others. */
const OF_POINTERS: ReadonlySet<DomainErrorCode> = new Set(["NOT_FOUND", "INVALID_ARGUMENT", "CORRUPT"]);

/**
 * The slot of (re-embedder, bag), both by digest. A small object points at the bag, so that finding it takes no hashing:
 *
 * ```
 * cache/reembed/{bag}/{re-embedder}.json                   what the bag is: key, digest, size, shape
 * cache/reembed/{bag}/{re-embedder}/{digest}.safetensors   the re-embedded bag
 * ```
 *
 * Thinned bags are kept the same way, under the name of their rule in the re-embedder's place: see `thinBag`.
 */
export function reembedSlot(store: ObjectStore, reembedder: string, bag: string): ReembedSlot {
  const folder = `${derivedFolder(bag)}/${reembedder}`;
  const pointerKey = `${folder}.json`;
  return {
    folder,
    async find({ verifies = false, ...options } = {}) {
      try {
        const { bytes } = await store.get(pointerKey, options);
        const ref = parsePointer(bytes, `${folder}/`);
        if (await isWhole(store, ref, verifies, options)) return ref;
        await store.delete(ref.key, options);
        return undefined;
      } catch (error) {
        // A cache: what is missing or damaged is made anew.
        if (isDomainError(error) && OF_POINTERS.has(error.code)) return undefined;
        if (error instanceof SyntaxError) return undefined;
        throw error;
      }
    },
    async remember(ref, options = {}) {
      const bytes = new TextEncoder().encode(JSON.stringify(ref));
      await store.put(pointerKey, bytes, { ...options, contentType: "application/json" });
    },
  };
}

/** Whether a stored bag has the size that it had when it was written, and the bytes where that is asked. */
async function isWhole(store: ObjectStore, ref: BagRef, verifies: boolean, options: CallOptions): Promise<boolean> {
  const { sizeBytes } = await store.head(ref.key, options);
  if (sizeBytes !== ref.sizeBytes || !verifies) return sizeBytes === ref.sizeBytes;
  try {
    for await (const _ of streamVerified(store, ref.key, { ...ref, ...options }));
    return true;
  } catch (error) {
    if (isDomainError(error, "CORRUPT")) return false;
    throw error;
  }
}

/** @throws {DomainError} `INVALID_ARGUMENT` when it is no reference to a bag of this slot. */
function parsePointer(bytes: Uint8Array, prefix: string): BagRef {
  const reader = createConfigReader(JSON.parse(new TextDecoder().decode(bytes)) as unknown, "pointer");
  const size = (name: string) => reader.number(name, { min: 1, max: Number.MAX_SAFE_INTEGER, isInteger: true });
  const digest = `${reader.scalar("digest")}`;
  return {
    // Not as it stands there: a pointer must not lead out of its slot.
    key: `${prefix}${/^[0-9a-f]{64}$/u.test(digest) ? digest : "damaged"}.safetensors`,
    digest,
    sizeBytes: size("sizeBytes"),
    n: size("n"),
    d: size("d"),
    dtype: reader.choice("dtype", ["F16", "F32"]),
    hasCoords: reader.boolean("hasCoords"),
  };
}
