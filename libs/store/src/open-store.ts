import { DomainError } from "@parfocal/errors";
import { createFileStore } from "./file/file-store.ts";
import type { ObjectStore } from "./object-store.ts";
import { createS3Store } from "./s3/s3-store.ts";
import type { StoreOptions } from "./store-options.ts";

/**
 * Opens the store at a URI: `s3://bucket[/prefix]` or `file:///folder`. Nothing is read or contacted yet, except that
 * a folder is cleaned of what dead processes left unfinished.
 *
 * @throws {DomainError} INVALID_ARGUMENT when the URI is of another kind or an option is out of its bounds.
 */
export function openStore(uri: string, options: StoreOptions = {}): ObjectStore {
  if (uri.startsWith("file:")) return createFileStore(uri);
  if (uri.startsWith("s3:")) return createS3Store(uri, options);
  throw new DomainError(
    "INVALID_ARGUMENT",
    `a store is s3://bucket[/prefix] or file:///folder, not "${schemeOf(uri)}"`,
  );
}

/** Only the scheme: the rest may name a bucket. */
function schemeOf(uri: string): string {
  return /^[a-z0-9+.-]*:/i.exec(uri)?.[0] ?? "a path without a scheme";
}
