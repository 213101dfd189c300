import type { ObjectStore } from "@parfocal/store";
import { encodeToken, parseToken } from "../operation-index.ts";
import { INDEX_PREFIX, type IndexEntry, OPEN_PREFIX, parseIndexKey, parseOpenKey, sortKey } from "../operation-keys.ts";
import { listingOf } from "../operation-listing.ts";
import { keysUnder } from "../operation-recovery.ts";
import { entryOfRequest, findRequest } from "../operation-request.ts";
import { forEachLimited } from "../operation-scope.ts";
import { orShownAsCorrupt, queuedState } from "../stored-state.ts";
import type { OperationState, WorkflowDriver } from "../workflow.ts";
import type { SharedState } from "./shared-state.ts";

/** Where a listing goes on: behind an entry, on the page of the store that holds it. */
interface Cursor {
  readonly last: string;
  readonly storeToken: string;
}

/**
 * One page of a project's operations, newest first, from the store alone: other gateways create and delete them too. Reads the
 * keys of the operations up to the page, and the states on it.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a page size outside 1 to 1000 or a token of another listing.
 */
export async function listFromStore(
  store: ObjectStore,
  states: SharedState,
  project: string,
  page: Parameters<WorkflowDriver["list"]>[1],
): ReturnType<WorkflowDriver["list"]> {
  const { size, filterName } = listingOf(project, page);
  const query = { project, filterName };
  const cursor = page.pageToken === undefined ? BEGINNING : parseCursor(parseToken(page.pageToken, query));
  const open = await openOperations(store, project);
  const entries: IndexEntry[] = [];
  let last = cursor;
  let nextPageToken: string | undefined;
  for await (const { entry, storeToken } of entriesBehind(store, project, cursor)) {
    if (page.kind !== undefined && entry.kind !== page.kind) continue;
    if (page.isDone !== undefined && open.has(entry.id) === page.isDone) continue;
    if (entries.length === size) {
      nextPageToken = encodeToken(`${last.last}\n${last.storeToken}`, query);
      break;
    }
    entries.push(entry);
    last = { last: sortKey(entry), storeToken };
  }
  const operations = await shownStates(store, states, entries, open);
  return { operations, ...(nextPageToken === undefined ? {} : { nextPageToken }) };
}

/** Before every entry, on the first page of the store. */
const BEGINNING: Cursor = { last: "", storeToken: "" };

function parseCursor(key: string): Cursor {
  const [last = "", storeToken = ""] = key.split("\n");
  return { last, storeToken };
}

async function* entriesBehind(
  store: ObjectStore,
  project: string,
  { last, storeToken: first }: Cursor,
): AsyncGenerator<{ readonly entry: IndexEntry; readonly storeToken: string }> {
  let storeToken: string | undefined = first;
  while (storeToken !== undefined) {
    const options: { pageToken?: string } = storeToken === "" ? {} : { pageToken: storeToken };
    const page = await store.list(`${INDEX_PREFIX}${project}/`, options);
    for (const { key } of page.objects) {
      const entry = parseIndexKey(key);
      if (entry !== undefined && sortKey(entry) > last) yield { entry, storeToken };
    }
    storeToken = page.nextPageToken;
  }
}

async function openOperations(store: ObjectStore, project: string): Promise<ReadonlySet<string>> {
  const keys = await Array.fromAsync(keysUnder(store, `${OPEN_PREFIX}${project}/`));
  return new Set(keys.map((key) => parseOpenKey(key)?.id ?? ""));
}

/** The entries that are operations, in their order. */
async function shownStates(
  store: ObjectStore,
  states: SharedState,
  entries: readonly IndexEntry[],
  open: ReadonlySet<string>,
): Promise<OperationState[]> {
  const shown: (OperationState | undefined)[] = entries.map(() => undefined);
  await forEachLimited([...entries.keys()], async (i) => {
    const entry = entries[i]!;
    shown[i] = await orShownAsCorrupt(entry, () => findShown(store, states, entry, open.has(entry.id)));
  });
  return shown.filter((state) => state !== undefined);
}

/**
 * The operation of an entry; undefined when it is none: its creation was cut off, or its deletion. A creation that was cut off and
 * asked for again leaves two entries of one operation, which was created when its request says.
 */
async function findShown(
  store: ObjectStore,
  states: SharedState,
  entry: IndexEntry,
  isOpen: boolean,
): Promise<OperationState | undefined> {
  const state = await states.find(entry);
  if (state !== undefined) return state.createTimeMs === entry.createTimeMs ? state : undefined;
  const request = isOpen ? await findRequest(store, entry) : undefined;
  if (request?.createTimeMs !== entry.createTimeMs) return undefined;
  return queuedState(entryOfRequest(entry, request));
}
