import { isDomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import {
  INDEX_PREFIX,
  type IndexEntry,
  indexKey,
  OPEN_PREFIX,
  type OperationRef,
  openKey,
  parseIndexKey,
  parseOpenKey,
  sortKey,
} from "./operation-keys.ts";
import { entryOfRequest, findRequest } from "./operation-request.ts";
import { forEachLimited, type OperationScope } from "./operation-scope.ts";
import { type FoundState, isDone, readStoredState } from "./stored-state.ts";

/**
 * Fills the index from the store and takes every operation that is not done into the pool, oldest first. Costs one
 * listing of the index and two reads for each operation that is not done.
 */
export async function recoverOperations(scope: OperationScope): Promise<void> {
  const { store } = scope.env;
  for await (const key of keysUnder(store, INDEX_PREFIX)) {
    const entry = parseIndexKey(key);
    if (entry !== undefined) scope.index.add(entry);
  }
  const open: OpenOperation[] = [];
  const keys = await Array.fromAsync(keysUnder(store, OPEN_PREFIX));
  await forEachLimited(keys, async (key) => {
    const ref = parseOpenKey(key);
    const found = ref === undefined ? undefined : await findOpen(scope, ref);
    if (found !== undefined) open.push(found);
  });
  open.sort((a, b) => (sortKey(a.entry) < sortKey(b.entry) ? 1 : -1));
  for (const { entry, found } of open) scope.pool.add(entry, found);
}

interface OpenOperation {
  readonly entry: IndexEntry;
  readonly found: FoundState | undefined;
}

async function findOpen(scope: OperationScope, ref: OperationRef): Promise<OpenOperation | undefined> {
  try {
    const found = await readStoredState(scope.env.store, ref);
    const entry = await resumableEntry(scope, ref, found);
    return entry === undefined ? undefined : { entry, found };
  } catch (error) {
    // One broken operation must not keep the gateway from serving all the others.
    if (!isDomainError(error, "CORRUPT")) throw error;
    scope.env.logger.error({ operation: ref.id, err: error }, "an operation cannot be resumed; delete it");
    return undefined;
  }
}

/** The entry of an operation to resume; undefined, its markers put right, when there is nothing to resume. */
async function resumableEntry(
  scope: OperationScope,
  ref: OperationRef,
  found: FoundState | undefined,
): Promise<IndexEntry | undefined> {
  const { store } = scope.env;
  const request = await findRequest(store, ref);
  const indexed = scope.index.find(ref);
  if (request === undefined) {
    // Its creation was cut off before the request was written: it never was.
    scope.index.remove(ref);
    if (indexed !== undefined) await store.delete(indexKey(indexed));
  }
  if (request === undefined || (found !== undefined && isDone(found.stored.state))) {
    await store.delete(openKey(ref));
    return undefined;
  }
  const entry = entryOfRequest(ref, request);
  if (indexed === undefined) await store.put(indexKey(entry), new Uint8Array());
  scope.index.add(entry);
  return entry;
}

/** Every key that begins with `prefix`, page by page. */
export async function* keysUnder(store: ObjectStore, prefix: string): AsyncGenerator<string> {
  let pageToken: string | undefined;
  do {
    const page = await store.list(prefix, pageToken === undefined ? {} : { pageToken });
    for (const { key } of page.objects) yield key;
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
}
