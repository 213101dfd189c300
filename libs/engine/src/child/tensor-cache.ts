import type { Tensor } from "./onnxruntime.ts";

/** Tensors ready to feed, the least recently used dropped first when they exceed the budget. */
export interface TensorCache {
  get(key: string): Tensor | undefined;
  /** Keeps the tensor unless it alone exceeds the budget. */
  put(key: string, tensor: Tensor, bytes: number): void;
  readonly bytes: number;
  /** Lookups that found their tensor, and those that did not. */
  readonly hits: number;
  readonly misses: number;
}

/** A cache of at most `maxBytes`. */
export function createTensorCache(maxBytes: number): TensorCache {
  const entries = new Map<string, { readonly tensor: Tensor; readonly bytes: number }>();
  let total = 0;
  let hits = 0;
  let misses = 0;
  function drop(key: string): void {
    total -= entries.get(key)?.bytes ?? 0;
    entries.delete(key);
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
