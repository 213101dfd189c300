import { DomainError, isDomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { refKey } from "./operation-index.ts";
import {
  type IndexEntry,
  indexKey,
  type OperationRef,
  openKey,
  operationPrefix,
  outcomeKey,
  requestKey,
  stateKey,
} from "./operation-keys.ts";
import { keysUnder } from "./operation-recovery.ts";
import { forEachLimited, type OperationScope } from "./operation-scope.ts";
import { isDone, readShownState } from "./stored-state.ts";

/**
 * Deletes a done operation with everything under its prefix.
 *
 * @throws {DomainError} `NOT_FOUND`; `PRECONDITION_FAILED` while it is not done; whatever the store throws: then what
 *   is left can be deleted by another call.
 */
export async function deleteOperation(scope: OperationScope, ref: OperationRef): Promise<void> {
  await scope.locks.run(refKey(ref), async () => {
    const entry = scope.index.find(ref);
    if (entry === undefined) throw new DomainError("NOT_FOUND", `there is no operation ${refKey(ref)}`);
    const task = scope.pool.find(ref);
    if (task !== undefined && !isDone(task.record.state)) {
      throw new DomainError("PRECONDITION_FAILED", "the operation still runs; cancel it and wait for its end first");
    }
    await scope.env.ownership.assertHeld();
    await deleteObjects(scope.env.store, entry);
    scope.index.remove(ref);
  });
}

/**
 * Deletes what ended more than `olderThanMs` ago and gives the number. Reads no operation that is younger than that. One whose
 * state cannot be read goes by its creation.
 */
export async function expireDone(scope: OperationScope, olderThanMs: number): Promise<number> {
  const beforeMs = scope.env.clock.nowMs() - olderThanMs;
  let nExpired = 0;
  for (const entry of scope.index.olderThan(beforeMs)) {
    if (scope.pool.find(entry) !== undefined) continue;
    const state = await readShownState(scope.env.store, entry);
    // No state and not in the pool: a deletion that was cut off.
    if (state !== undefined && (!isDone(state) || (state.endTimeMs ?? entry.createTimeMs) >= beforeMs)) continue;
    if (await deleteIfThere(scope, entry)) nExpired++;
  }
  return nExpired;
}

/** As {@link deleteOperation}; false for an operation that somebody else deleted meanwhile. */
async function deleteIfThere(scope: OperationScope, ref: OperationRef): Promise<boolean> {
  try {
    await deleteOperation(scope, ref);
    return true;
  } catch (error) {
    if (!isDomainError(error, "NOT_FOUND")) throw error;
    return false;
  }
}

/**
 * State and request go after the rest and the index entry goes last: whenever it is cut off, the operation is either
 * still there with its outcome, or gone for readers and still known to a later deletion.
 */
export async function deleteObjects(store: ObjectStore, entry: IndexEntry): Promise<void> {
  const last = [outcomeKey(entry), stateKey(entry), requestKey(entry), openKey(entry), indexKey(entry)];
  const keys = await Array.fromAsync(keysUnder(store, operationPrefix(entry)));
  await forEachLimited(
    keys.filter((key) => !last.includes(key)),
    (key) => store.delete(key),
  );
  for (const key of last) await store.delete(key);
}
