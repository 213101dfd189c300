import type { SharedTensor } from "./shared-tensor.ts";

/** Tensors ready to feed, the least recently used dropped first when they exceed the budget. */
export interface TensorCache<T = SharedTensor> {
  get(key: string): T | undefined;
  /** Keeps the tensor unless it alone exceeds the budget. */
  put(key: string, tensor: T, bytes: number): void;
  readonly bytes: number;
  /** Lookups that found their tensor, and those that did not. */
  readonly hits: number;
  readonly misses: number;
}

/** Who is told of what a cache holds. */
export interface CacheListener<T> {
  kept(tensor: T): void;
  dropped(tensor: T): void;
}

/** A cache of at most `maxBytes`. */
export function createTensorCache<T>(maxBytes: number, listener?: CacheListener<T>): TensorCache<T> {
  const entries = new Map<string, { readonly tensor: T; readonly bytes: number }>();
  let total = 0;
  let hits = 0;
  let misses = 0;
  function drop(key: string): void {
    const entry = entries.get(key);
    if (entry === undefined) return;
    entries.delete(key);
    total -= entry.bytes;
    listener?.dropped(entry.tensor);
  }
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) {
        misses += 1;
        return undefined;
      }
      hits += 1;
      entries.delete(key);
      entries.set(key, entry);
      return entry.tensor;
    },
    put(key, tensor, bytes) {
      drop(key);
      if (bytes > maxBytes) return;
      listener?.kept(tensor);
      entries.set(key, { tensor, bytes });
      total += bytes;
      for (const oldest of entries.keys()) {
        if (total <= maxBytes) return;
        drop(oldest);
      }
    },
    get bytes() {
      return total;
    },
    get hits() {
      return hits;
    },
    get misses() {
      return misses;
    },
  };
}
