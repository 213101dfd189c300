import { isDomainError } from "@parfocal/errors";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import { createJson, readJson } from "./json-objects.ts";

/**
 * Takes the entry `key` back if the object `target` that it points at is gone; tells whether that object is there.
 *
 * Called after an entry was written and after its object was deleted: whichever of the two comes last then sees what the other
 * did, and no entry is left that points at nothing. An object that somebody brings back meanwhile keeps its entry.
 */
export async function settleEntry(
  store: ObjectStore,
  key: string,
  target: string,
  options: CallOptions,
): Promise<boolean> {
  for (;;) {
    if (await isThere(store, target, options)) return true;
    const entry = await readJson(store, key, (json) => json, options);
    if (entry === undefined) return false;
    await store.delete(key, options);
    if (!(await isThere(store, target, options))) return false;
    // Brought back by one who may have found the entry there and left it as it was.
    await createJson(store, key, entry.value, options);
  }
}

/** Whether an object is there. @throws {DomainError} the store's own codes but `NOT_FOUND`. */
export async function isThere(store: ObjectStore, key: string, options: CallOptions): Promise<boolean> {
  try {
    await store.head(key, options);
    return true;
  } catch (error) {
    if (isDomainError(error, "NOT_FOUND")) return false;
    throw error;
  }
}
