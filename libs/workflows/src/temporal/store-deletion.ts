import { DomainError, isDomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { deleteObjects } from "../operation-deletion.ts";
import { INDEX_PREFIX, type IndexEntry, type OperationRef, openKey, parseIndexKey } from "../operation-keys.ts";
import { keysUnder } from "../operation-recovery.ts";
import { entryOfRequest, readRequest } from "../operation-request.ts";
import { isDone, unlessCorrupt } from "../stored-state.ts";
import type { SharedState } from "./shared-state.ts";

/**
 * Deletes a done operation with everything under its prefix. One whose state cannot be read is done when its marker is gone.
 *
 * @throws {DomainError} `NOT_FOUND`; `PRECONDITION_FAILED` while it is not done; whatever the store throws.
 */
export async function deleteFromStore(store: ObjectStore, states: SharedState, ref: OperationRef): Promise<void> {
  const state = await unlessCorrupt(() => states.read(ref));
  if (state === undefined ? await isOpen(store, ref) : !isDone(state)) {
    throw new DomainError("PRECONDITION_FAILED", "the operation still runs; cancel it and wait for its end first");
  }
  const { kind, createTimeMs } = state ?? entryOfRequest(ref, await readRequest(store, ref));
  await deleteObjects(store, { ...ref, kind, createTimeMs });
}

/** Whether the marker of an operation says that it is not done. */
export async function isOpen(store: ObjectStore, ref: OperationRef): Promise<boolean> {
  try {
    await store.head(openKey(ref));
    return true;
  } catch (error) {
    if (!isDomainError(error, "NOT_FOUND")) throw error;
    return false;
  }
}

/** Deletes what ended before `beforeMs`, and what is left of deletions that were cut off; gives the number. */
export async function expireFromStore(store: ObjectStore, states: SharedState, beforeMs: number): Promise<number> {
  let nExpired = 0;
  for await (const key of keysUnder(store, INDEX_PREFIX)) {
    const entry = parseIndexKey(key);
    if (entry === undefined || entry.createTimeMs >= beforeMs) continue;
    if (!(await hasEndedBefore(states, entry, beforeMs))) continue;
    await deleteObjects(store, entry);
    nExpired++;
  }
  return nExpired;
}

/** One that is gone or cannot be read goes by its creation. */
async function hasEndedBefore(states: SharedState, entry: IndexEntry, beforeMs: number): Promise<boolean> {
  try {
    const { endTimeMs, outcome } = await states.read(entry);
    return outcome.kind !== "running" && (endTimeMs ?? 0) < beforeMs;
  } catch (error) {
    if (!isDomainError(error, "NOT_FOUND") && !isDomainError(error, "CORRUPT")) throw error;
    return true;
  }
}
