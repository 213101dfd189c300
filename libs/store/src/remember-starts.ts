import type { GetOptions, ObjectBytes, ObjectStore } from "./object-store.ts";

/** Options of {@link rememberStarts}. */
export interface RememberOptions {
  /** Longest start that is kept, bytes; default 4 KiB: headers of ordinary length. */
  readonly maxBytes?: number;
  /** Objects whose starts are kept; the one read longest ago goes first. Default 1 024. */
  readonly capacity?: number;
}

/**
 * A store that keeps the first bytes of objects read lately. Reading the same start again asks the store whether the object still is
 * that version, and reads nothing: of a folder that is one call of the system instead of four, each of which waits for a thread.
 * Everything else goes to `store` as it is.
 */
export function rememberStarts(store: ObjectStore, options: RememberOptions = {}): ObjectStore {
  const { maxBytes = 4096, capacity = 1024 } = options;
  /** By key, the one read last is last. */
  const starts = new Map<string, ObjectBytes>();

  function keep(key: string, read: ObjectBytes): void {
    starts.delete(key);
    starts.set(key, read);
    const [oldest] = starts.keys();
    if (starts.size > capacity && oldest !== undefined) starts.delete(oldest);
  }

  /** What was kept, when the object still is that version. */
  async function stillThere(key: string, { range, ifMatch, signal }: GetOptions): Promise<ObjectBytes | undefined> {
    const kept = starts.get(key);
    if (kept === undefined || kept.bytes.length !== range?.end) return undefined;
    const info = await store.head(key, signal ? { signal } : {});
    if (info.etag !== kept.etag || (ifMatch ?? info.etag) !== info.etag) return undefined;
    keep(key, kept);
    return { ...info, bytes: kept.bytes.slice() };
  }

  return {
    ...store,
    async get(key, call = {}) {
      const { range, into } = call;
      if (range === undefined || range.start !== 0 || range.end > maxBytes || into !== undefined)
        return store.get(key, call);
      const found = await stillThere(key, call);
      if (found !== undefined) return found;
      const read = await store.get(key, call);
      keep(key, { ...read, bytes: read.bytes.slice() });
      return read;
    },
  };
}
