import type { BagRef } from "@parfocal/bags";
import { isDomainError } from "@parfocal/errors";
import { createConfigReader } from "@parfocal/models";
import type { CallOptions, ObjectStore } from "@parfocal/store";

/** Where the re-embedding of one bag by one re-embedder is kept. */
export interface ReembedSlot {
  /** Folder of the re-embedded bag, whose name is its own digest. */
  readonly folder: string;
  /** The bag that is kept here, if it is still in the store. */
  find(options?: CallOptions): Promise<BagRef | undefined>;
  /** Remembers the bag that was written. */
  remember(ref: BagRef, options?: CallOptions): Promise<void>;
}

/**
 * The slot of (re-embedder, bag), both by digest. A small object points at the bag, so that finding it takes no hashing:
 *
 * ```
 * cache/reembed/{re-embedder}/{bag}.json                   what the bag is: key, digest, size, shape
 * cache/reembed/{re-embedder}/{bag}/{digest}.safetensors   the re-embedded bag
 * ```
 */
export function reembedSlot(store: ObjectStore, reembedder: string, bag: string): ReembedSlot {
  const folder = `cache/reembed/${reembedder}/${bag}`;
  const pointerKey = `${folder}.json`;
  return {
    folder,
    async find(options = {}) {
      try {
        const { bytes } = await store.get(pointerKey, options);
        const ref = parsePointer(bytes, `${folder}/`);
        const { sizeBytes } = await store.head(ref.key, options);
        return sizeBytes === ref.sizeBytes ? ref : undefined;
      } catch (error) {
        // A cache: what is missing or damaged is made anew.
        if (isDomainError(error, "NOT_FOUND") || isDomainError(error, "INVALID_ARGUMENT")) return undefined;
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
