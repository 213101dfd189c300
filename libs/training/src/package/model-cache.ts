import { orAborted } from "@parfocal/errors";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import { type LoadedModel, loadModel } from "./load-model.ts";

/** Models kept ready by the digest of their manifest, which covers every byte of them. */
export interface ModelCache {
  /** The model of the package in `folder`. @throws {DomainError} as `loadModel`; a failure is not remembered. */
  get(folder: string, digest: string, options?: CallOptions): Promise<LoadedModel>;
}

/**
 * A cache of at most `capacity` models; the one used longest ago goes first. `onLookup` hears whether a model was there, or on
 * its way.
 */
export function createModelCache(
  store: ObjectStore,
  capacity: number,
  onLookup: (isHit: boolean) => void = () => {},
): ModelCache {
  const loading = new Map<string, Promise<LoadedModel>>();
  return {
    async get(folder, digest, options = {}) {
      const kept = loading.get(digest);
      onLookup(kept !== undefined);
      loading.delete(digest);
      // Not the caller's signal: others may be waiting for the same model.
      const model = kept ?? loadModel(store, folder, { digest });
      loading.set(digest, model);
      const [oldest] = loading.keys();
      if (loading.size > capacity && oldest !== undefined) loading.delete(oldest);
      model.catch(() => loading.delete(digest));
      return orAborted(model, options.signal);
    },
  };
}
