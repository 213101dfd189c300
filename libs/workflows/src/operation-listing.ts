import { DomainError } from "@parfocal/errors";
import type { IndexEntry } from "./operation-keys.ts";
import { assertProject } from "./operation-keys.ts";
import { forEachLimited, type OperationScope } from "./operation-scope.ts";
import { isDone, readShownState } from "./stored-state.ts";
import type { OperationState, WorkflowDriver } from "./workflow.ts";

/** Largest page of a listing. */
const MAX_PAGE_SIZE = 1000;

/**
 * One page of a project's operations, newest first. Reads the states of this page's done operations and nothing else.
 * A page may be shorter than asked for; only a missing token means the end.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a page size outside 1 to 1000 or a token of another listing.
 */
export async function listOperations(
  scope: OperationScope,
  project: string,
  page: Parameters<WorkflowDriver["list"]>[1],
): ReturnType<WorkflowDriver["list"]> {
  const { size, filterName } = listingOf(project, page);
  const { pageToken, kind, isDone: wanted } = page;
  const matches = (entry: IndexEntry): boolean =>
    (kind === undefined || entry.kind === kind) && (wanted === undefined || isEntryDone(scope, entry) === wanted);
  const found = scope.index.page({ project, size, pageToken, filterName, matches });
  const operations = await readStates(scope, found.entries);
  return { operations, ...(found.nextPageToken === undefined ? {} : { nextPageToken: found.nextPageToken }) };
}

/**
 * What both drivers take a listing for.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a bad project or a page size outside 1 to 1000.
 */
export function listingOf(
  project: string,
  { pageSize: size, kind, isDone: wanted }: Parameters<WorkflowDriver["list"]>[1],
): { readonly size: number; readonly filterName: string } {
  assertProject(project);
  if (!Number.isInteger(size) || size < 1 || size > MAX_PAGE_SIZE) {
    throw new DomainError("INVALID_ARGUMENT", `page size ${size} is not a whole number from 1 to ${MAX_PAGE_SIZE}`);
  }
  return { size, filterName: `${kind ?? ""}/${wanted ?? ""}` };
}

function isEntryDone(scope: OperationScope, entry: IndexEntry): boolean {
  const task = scope.pool.find(entry);
  return task === undefined || isDone(task.record.state);
}

async function readStates(scope: OperationScope, entries: readonly IndexEntry[]): Promise<OperationState[]> {
  const states: (OperationState | undefined)[] = entries.map((entry) => scope.pool.find(entry)?.record.state);
  const missing = [...entries.keys()].filter((i) => states[i] === undefined);
  await forEachLimited(missing, async (i) => {
    const entry = entries[i];
    // An entry without a state is a deletion that was cut off: it is no operation any more.
    if (entry !== undefined) states[i] = await readShownState(scope.env.store, entry);
  });
  return states.filter((state) => state !== undefined);
}
