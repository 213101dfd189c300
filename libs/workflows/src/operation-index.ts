import { DomainError } from "@parfocal/errors";
import { type IndexEntry, type OperationRef, sortKey } from "./operation-keys.ts";

/** Every operation of the store, without its state, in memory: about 200 bytes each. */
export interface OperationIndex {
  add(entry: IndexEntry): void;
  remove(ref: OperationRef): void;
  find(ref: OperationRef): IndexEntry | undefined;
  /** Up to `size` entries of a project, newest first, behind `after`. */
  page(query: PageQuery): IndexPage;
  /** All entries older than `createTimeMs`. */
  olderThan(createTimeMs: number): IndexEntry[];
}

/** What a page token belongs to: a token of another query is refused. */
interface TokenQuery {
  readonly project: string;
  readonly filterName: string;
}

/** Which entries a page may hold. */
interface PageQuery extends TokenQuery {
  readonly size: number;
  readonly pageToken?: string | undefined;
  matches(entry: IndexEntry): boolean;
}

/** One page of entries. */
interface IndexPage {
  readonly entries: readonly IndexEntry[];
  readonly nextPageToken?: string;
}

/** Key and entry, sorted by key. */
interface Row {
  readonly key: string;
  readonly entry: IndexEntry;
}

/** An index that is empty. */
export function createOperationIndex(): OperationIndex {
  const projects = new Map<string, Row[]>();
  const byRef = new Map<string, IndexEntry>();
  const rowsOf = (project: string): Row[] => {
    const rows = projects.get(project) ?? [];
    projects.set(project, rows);
    return rows;
  };
  return {
    add(entry) {
      if (byRef.has(refKey(entry))) return;
      byRef.set(refKey(entry), entry);
      const rows = rowsOf(entry.project);
      rows.splice(firstAfter(rows, sortKey(entry)), 0, { key: sortKey(entry), entry });
    },
    remove(ref) {
      const entry = byRef.get(refKey(ref));
      if (entry === undefined) return;
      byRef.delete(refKey(ref));
      const rows = rowsOf(entry.project);
      rows.splice(firstAfter(rows, sortKey(entry)) - 1, 1);
    },
    find: (ref) => byRef.get(refKey(ref)),
    page: (query) => readPage(projects.get(query.project) ?? [], query),
    olderThan: (createTimeMs) => [...byRef.values()].filter((entry) => entry.createTimeMs < createTimeMs),
  };
}

/** One string for one operation. */
export function refKey(ref: OperationRef): string {
  return `${ref.project}/${ref.id}`;
}

function readPage(rows: readonly Row[], query: PageQuery): IndexPage {
  const entries: IndexEntry[] = [];
  const start = query.pageToken === undefined ? 0 : firstAfter(rows, parseToken(query.pageToken, query));
  for (let i = start; i < rows.length; i++) {
    const row = rows[i];
    if (row === undefined || !query.matches(row.entry)) continue;
    const last = entries.at(-1);
    if (last !== undefined && entries.length === query.size)
      return { entries, nextPageToken: encodeToken(sortKey(last), query) };
    entries.push(row.entry);
  }
  return { entries };
}

/** Index of the first row whose key is greater than `key`. */
function firstAfter(rows: readonly Row[], key: string): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const row = rows[middle];
    if (row !== undefined && row.key <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A page token that goes on behind `key`. */
export function encodeToken(key: string, query: TokenQuery): string {
  return Buffer.from(JSON.stringify([query.project, query.filterName, key])).toString("base64url");
}

/** Inverse of {@link encodeToken}. @throws {DomainError} `INVALID_ARGUMENT` for a token of another query, or none. */
export function parseToken(token: string, query: TokenQuery): string {
  const parts = tokenParts(token);
  if (parts === undefined) throw new DomainError("INVALID_ARGUMENT", "the page token is not one that a listing gave");
  const [project, filterName, key] = parts;
  if (project !== query.project || filterName !== query.filterName) {
    throw new DomainError("INVALID_ARGUMENT", "the page token belongs to a listing of another project or filter");
  }
  return key;
}

function tokenParts(token: string): readonly [string, string, string] | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    const isToken = Array.isArray(parts) && parts.length === 3 && parts.every((part) => typeof part === "string");
    return isToken ? (parts as unknown as readonly [string, string, string]) : undefined;
  } catch {
    return undefined; // Not ours: the caller says so.
  }
}
