/** What a catalog reads of its store. */
interface StoredEntry<V> {
  readonly value: V;
  /** Bytes of the object, by which the cache is bounded. */
  readonly sizeBytes: number;
}

/**
 * Entries of a catalog in memory, those used longest ago forgotten first. For values that never change under their key: all that
 * can become untrue of a kept entry is that it exists.
 */
export interface EntryCache<V> {
  /**
   * The entry, from memory if it was read at most `maxAgeMs` ago (default {@link MAX_AGE_MS}), else what `load` gives. What was
   * being loaded while an entry was forgotten is given and not kept: it may be the one.
   */
  read(key: string, load: () => Promise<StoredEntry<V> | undefined>, maxAgeMs?: number): Promise<V | undefined>;
  /** Forgets an entry. Call it after the entry was deleted, so that no later read can find it. */
  forget(key: string): void;
}

/** Settings of an {@link EntryCache}. */
export interface EntryCacheOptions {
  /** Most bytes kept, as the entries are stored; parsed they take two to three times that. */
  readonly maxBytes: number;
  /** A clock that never goes back, ms. Default: that of the process. */
  readonly nowMs?: () => number;
}

/**
 * Longest time that an entry is believed to exist without asking the store, ms. Other gateways hear of no deletion, so this is how
 * long they may go on showing what was deleted; it costs one small read per entry in use and half minute.
 */
export const MAX_AGE_MS = 30_000;

interface Kept<V> extends StoredEntry<V> {
  /** When its reading began. */
  readonly readAtMs: number;
}

/** An empty {@link EntryCache}. */
export function createEntryCache<V>({ maxBytes, nowMs = () => performance.now() }: EntryCacheOptions): EntryCache<V> {
  // In the order of their last use.
  const entries = new Map<string, Kept<V>>();
  let keptBytes = 0;
  let nForgotten = 0;

  const drop = (key: string): void => {
    keptBytes -= entries.get(key)?.sizeBytes ?? 0;
    entries.delete(key);
  };

  const keep = (key: string, entry: Kept<V>): void => {
    drop(key);
    // One that is larger than all of them together would drive out every other and then itself.
    if (entry.sizeBytes > maxBytes) return;
    entries.set(key, entry);
    keptBytes += entry.sizeBytes;
    for (const oldest of entries.keys()) {
      if (keptBytes <= maxBytes) return;
      drop(oldest);
    }
  };

  return {
    async read(key, load, maxAgeMs = MAX_AGE_MS) {
      const readAtMs = nowMs();
      const kept = entries.get(key);
      if (kept !== undefined && readAtMs - kept.readAtMs <= maxAgeMs) {
        keep(key, kept);
        return kept.value;
      }
      const generation = nForgotten;
      const loaded = await load();
      if (loaded === undefined) drop(key);
      else if (generation === nForgotten) keep(key, { ...loaded, readAtMs });
      return loaded?.value;
    },
    forget(key) {
      nForgotten += 1;
      drop(key);
    },
  };
}
