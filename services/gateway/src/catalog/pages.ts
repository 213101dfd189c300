import { DomainError, mapBounded } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";

/** What a client asks of a listing. */
export interface PageRequest {
  /** 1 to 1000; 0 means {@link DEFAULT_PAGE_SIZE}. */
  readonly pageSize: number;
  /** From the page before; empty on the first. */
  readonly pageToken: string;
  readonly signal?: AbortSignal;
}

/** One page of a listing. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;
/** Entries read at a time: enough to hide the round trips of an object store, few enough for its sockets. */
const CONCURRENT_READS = 16;

/** The page size in force. @throws {DomainError} `INVALID_ARGUMENT` below 0. Above 1000 it is 1000. */
function pageSizeFrom(requested: number): number {
  if (requested < 0) {
    throw new DomainError("INVALID_ARGUMENT", `page_size is ${requested}; it is 0 to ${MAX_PAGE_SIZE}`, {
      details: { field: "page_size" },
    });
  }
  return requested === 0 ? DEFAULT_PAGE_SIZE : Math.min(requested, MAX_PAGE_SIZE);
}

/** One page of the entries below `prefix`; entries deleted while it is read are left out. */
export async function listEntries<T>(
  store: ObjectStore,
  prefix: string,
  page: PageRequest,
  read: (key: string) => Promise<T | undefined>,
): Promise<Page<T>> {
  const listed = await store.list(prefix, {
    pageSize: pageSizeFrom(page.pageSize),
    ...(page.pageToken === "" ? {} : { pageToken: page.pageToken }),
    ...(page.signal === undefined ? {} : { signal: page.signal }),
  });
  const items = await mapBounded(listed.objects, CONCURRENT_READS, (object) => read(object.key));
  return { items: items.filter((item) => item !== undefined), nextPageToken: listed.nextPageToken ?? "" };
}
