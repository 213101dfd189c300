import { type BagMetadata, type BagRef, derivedFolder } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import { createEntryCache, type EntryCacheOptions } from "./entry-cache.ts";
import { createJson, readJson } from "./json-objects.ts";
import { keys } from "./keys.ts";
import { listEntries, type Page, type PageRequest } from "./pages.ts";
import { settleEntry } from "./settle-entry.ts";

/** A bag of a project: its reference and what is known of it. */
export interface BagEntry {
  readonly ref: BagRef;
  readonly metadata: BagMetadata;
}

/** The bags of every project. Entries never change: a bag's id is the SHA-256 of its content. */
export interface BagCatalog {
  /**
   * Enters a stored bag; tells whether it was new.
   *
   * @throws {DomainError} `NOT_FOUND` when the bag was deleted since it was stored; no entry is left then.
   */
  add(project: string, entry: BagEntry, options?: CallOptions): Promise<boolean>;
  /**
   * The entry of a bag. One that another gateway deleted may be given for half a minute more (`MAX_AGE_MS` of the cache).
   *
   * @throws {DomainError} `NOT_FOUND`.
   */
  get(project: string, sha256: string, options?: CallOptions): Promise<BagEntry>;
  /** One page in the order of the ids, as the store lists them now. */
  list(project: string, page: PageRequest): Promise<Page<BagEntry>>;
  /**
   * Forgets the entry first, then the bag, then an entry that was added meanwhile, so that none is left that points at nothing.
   * This gateway does not show it any more. Absent: succeeds.
   */
  delete(project: string, sha256: string, options?: CallOptions): Promise<void>;
}

/** Entries in memory, in bytes as they are stored: some 20 000 of about 500 bytes. */
const CACHED_BYTES = 10 * 1024 ** 2;

/** The bag catalog of a store. */
export function createBagCatalog(store: ObjectStore, clock: Pick<EntryCacheOptions, "nowMs"> = {}): BagCatalog {
  const cache = createEntryCache<BagEntry>({ maxBytes: CACHED_BYTES, ...clock });

  const read = (key: string, options: CallOptions, maxAgeMs?: number): Promise<BagEntry | undefined> =>
    cache.read(key, () => readJson(store, key, parseBagEntry, options), maxAgeMs);

  return {
    async add(project, entry, options = {}) {
      const { digest } = entry.ref;
      const key = keys.bagIndex(project, digest);
      const isNew = await createJson(store, key, entry, options);
      if (await settleEntry(store, key, keys.bag(project, digest), options)) return isNew;
      cache.forget(key);
      throw new DomainError("NOT_FOUND", "the bag was deleted before it was entered");
    },
    async get(project, sha256, options = {}) {
      const entry = await read(keys.bagIndex(project, sha256), options);
      if (entry === undefined) throw new DomainError("NOT_FOUND", "no such bag in this project");
      return entry;
    },
    list: (project, page) =>
      // What was listed is there, however long ago it was read.
      listEntries(store, keys.bagIndexPrefix(project), page, (key) =>
        read(key, page.signal ? { signal: page.signal } : {}, Number.POSITIVE_INFINITY),
      ),
    async delete(project, sha256, options = {}) {
      const key = keys.bagIndex(project, sha256);
      const bag = keys.bag(project, sha256);
      try {
        await store.delete(key, options);
        await store.delete(bag, options);
        await store.delete(keys.blockIndex(project, sha256), options);
        await deleteDerived(store, sha256, options);
        await settleEntry(store, key, bag, options);
      } finally {
        // Also after a failure, which may have come after the deletion.
        cache.forget(key);
      }
    },
  };
}

/** Other projects that have the same bag make what they need again. */
async function deleteDerived(store: ObjectStore, sha256: string, options: CallOptions): Promise<void> {
  for (;;) {
    const { objects } = await store.list(`${derivedFolder(sha256)}/`, options);
    if (objects.length === 0) return;
    for (const { key } of objects) await store.delete(key, options);
  }
}

/** What {@link BagCatalog.add} wrote; the gateway alone writes it, so only its shape is checked. */
function parseBagEntry(json: unknown): BagEntry {
  const entry = json as BagEntry;
  if (typeof entry.ref.digest !== "string" || typeof entry.ref.key !== "string") throw new TypeError("not a bag entry");
  return entry;
}
