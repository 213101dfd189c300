import { DomainError, isDomainError, mapBounded } from "@parfocal/errors";
import type { ListPage, ObjectStore } from "@parfocal/store";
import { encodePageToken, invalidPageToken, parsePageToken } from "./page-token.ts";

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
export const CONCURRENT_READS = 16;

/** The page size in force. @throws {DomainError} `INVALID_ARGUMENT` below 0. Above 1000 it is 1000. */
function pageSizeFrom(requested: number): number {
  if (requested < 0) {
    throw new DomainError("INVALID_ARGUMENT", `page_size is ${requested}; it is 0 to ${MAX_PAGE_SIZE}`, {
      details: { field: "page_size" },
    });
  }
  return requested === 0 ? DEFAULT_PAGE_SIZE : Math.min(requested, MAX_PAGE_SIZE);
}

/**
 * One page of the entries below `prefix`; entries deleted while it is read are left out.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a page size below 0, and for a token that is none or of another listing.
 */
export async function listEntries<T>(
  store: ObjectStore,
  prefix: string,
  page: PageRequest,
  read: (key: string) => Promise<T | undefined>,
): Promise<Page<T>> {
  const { objects, nextPageToken } = await listPage(store, prefix, page);
  const items = await mapBounded(objects, CONCURRENT_READS, (object) => read(object.key));
  return {
    items: items.filter((item) => item !== undefined),
    nextPageToken: nextPageToken === undefined ? "" : encodePageToken(prefix, nextPageToken),
  };
}

async function listPage(
  store: ObjectStore,
  prefix: string,
  { pageSize, pageToken, signal }: PageRequest,
): Promise<ListPage> {
  const options = { pageSize: pageSizeFrom(pageSize), ...(signal === undefined ? {} : { signal }) };
  if (pageToken === "") return store.list(prefix, options);
  const storeToken = parsePageToken(prefix, pageToken);
  try {
    return await store.list(prefix, { ...options, pageToken: storeToken });
  } catch (error) {
    // The rest of the call is ours: it is the token that the store does not know.
    throw isDomainError(error, "INVALID_ARGUMENT") ? invalidPageToken(error) : error;
  }
}
