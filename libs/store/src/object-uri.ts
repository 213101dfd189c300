import { DomainError } from "@parfocal/errors";
import type { ObjectStore } from "./object-store.ts";

/** The URI of a key, as it travels between services: the store's root, a slash, the key. */
export function uriFromKey(store: Pick<ObjectStore, "rootUri">, key: string): string {
  return `${store.rootUri}/${key}`;
}

/**
 * The key that a URI from outside names in this store.
 *
 * @throws {DomainError} `FORBIDDEN` when it lies outside the store's root: a reference must not make a service read what
 *   its caller could not. The URI is not repeated.
 */
export function keyFromUri(store: Pick<ObjectStore, "rootUri">, uri: string): string {
  const root = `${store.rootUri}/`;
  if (!uri.startsWith(root) || uri.length === root.length) {
    throw new DomainError("FORBIDDEN", `a reference of ${uri.length} characters lies outside this service's store`);
  }
  return uri.slice(root.length);
}
