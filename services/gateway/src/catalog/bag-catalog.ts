import type { BagMetadata, BagRef } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import { createJson, readJson } from "./json-objects.ts";
import { keys } from "./keys.ts";
import { createLru } from "./lru.ts";
import { listEntries, type Page, type PageRequest } from "./pages.ts";

/** A bag of a project: its reference and what is known of it. */
export interface BagEntry {
  readonly ref: BagRef;
  readonly metadata: BagMetadata;
}

/** The bags of every project. Entries never change: a bag's id is the SHA-256 of its content. */
export interface BagCatalog {
  /** Enters a stored bag; tells whether it was new. */
  add(project: string, entry: BagEntry, options?: CallOptions): Promise<boolean>;
  /** @throws {DomainError} `NOT_FOUND`. */
  get(project: string, sha256: string, options?: CallOptions): Promise<BagEntry>;
  /** One page in the order of the ids. */
  list(project: string, page: PageRequest): Promise<Page<BagEntry>>;
  /** Forgets the entry first, then the bag, so that no entry ever points at nothing. Absent: succeeds. */
  delete(project: string, sha256: string, options?: CallOptions): Promise<void>;
}

/** Entries that one gateway keeps in memory: about 500 bytes each. */
const CACHED_ENTRIES = 20_000;

/** The bag catalog of a store. */
export function createBagCatalog(store: ObjectStore): BagCatalog {
  const cache = createLru<BagEntry>(CACHED_ENTRIES);

  const read = async (key: string, options: CallOptions): Promise<BagEntry | undefined> => {
    const cached = cache.get(key);
    if (cached !== undefined) return cached;
    const found = await readJson(store, key, parseBagEntry, options);
    if (found !== undefined) cache.set(key, found.value);
    return found?.value;
  };

  return {
    add: (project, entry, options = {}) => createJson(store, keys.bagIndex(project, entry.ref.digest), entry, options),
    async get(project, sha256, options = {}) {
      const entry = await read(keys.bagIndex(project, sha256), options);
      if (entry === undefined) throw new DomainError("NOT_FOUND", "no such bag in this project");
      return entry;
    },
    list: (project, page) =>
      listEntries(store, keys.bagIndexPrefix(project), page, (key) =>
        read(key, page.signal ? { signal: page.signal } : {}),
      ),
    async delete(project, sha256, options = {}) {
      const key = keys.bagIndex(project, sha256);
      cache.delete(key);
      await store.delete(key, options);
      await store.delete(`${keys.bagPrefix(project)}${sha256}.safetensors`, options);
    },
  };
}

/** What {@link BagCatalog.add} wrote; the gateway alone writes it, so only its shape is checked. */
function parseBagEntry(json: unknown): BagEntry {
  const entry = json as BagEntry;
  if (typeof entry.ref.digest !== "string" || typeof entry.ref.key !== "string") throw new TypeError("not a bag entry");
  return entry;
}
