import { DomainError } from "@parfocal/errors";
import type { ListOptions, PutOptions } from "./object-store.ts";

/** S3 lists at most this many keys in one page. */
const MAX_PAGE_SIZE = 1000;

/**
 * Checks that a write carries at most one condition, and that it is one.
 *
 * @throws {DomainError} INVALID_ARGUMENT when both are given, or an empty `ifMatch`: servers take it for none.
 */
export function assertPutOptions(options: PutOptions): void {
  if (options.ifNoneMatch !== undefined && options.ifMatch !== undefined) {
    throw new DomainError("INVALID_ARGUMENT", "a put takes ifNoneMatch or ifMatch, not both");
  }
  if (options.ifMatch === "") throw new DomainError("INVALID_ARGUMENT", "ifMatch is empty, expected a version");
}

/**
 * Checks a put's condition against the version that is there (`undefined`: none).
 *
 * @throws {DomainError} PRECONDITION_FAILED when the condition does not hold.
 */
export function assertCondition(current: string | undefined, options: PutOptions): void {
  if (options.ifNoneMatch === "*" && current !== undefined) throw objectExists();
  if (options.ifMatch !== undefined && options.ifMatch !== current) throw versionChanged(options.ifMatch, current);
}

/** The error of a create that found an object. */
export function objectExists(cause?: unknown): DomainError {
  return new DomainError("PRECONDITION_FAILED", "the object exists, and ifNoneMatch asks that it does not", { cause });
}

/** The error of an access that expected another version. */
export function versionChanged(expected: string, current: string | undefined, cause?: unknown): DomainError {
  const now = current === undefined ? "none" : current;
  return new DomainError("PRECONDITION_FAILED", `the object's version is ${now}, expected ${expected}`, { cause });
}

/** The error of an object that is not there. Says no key: keys may name slides. */
export function objectNotFound(cause?: unknown): DomainError {
  return new DomainError("NOT_FOUND", "there is no such object", { cause });
}

/**
 * The page size of a listing, 1 to 1000, default 1000.
 *
 * @throws {DomainError} INVALID_ARGUMENT when it is outside.
 */
export function pageSizeFromOptions(options: ListOptions): number {
  const pageSize = options.pageSize ?? MAX_PAGE_SIZE;
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > MAX_PAGE_SIZE) {
    throw new DomainError("INVALID_ARGUMENT", `pageSize ${pageSize} is outside 1 to ${MAX_PAGE_SIZE}`);
  }
  return pageSize;
}

/** The token that continues a listing after `key`. */
export function encodePageToken(key: string): string {
  return Buffer.from(key).toString("base64url");
}

/**
 * The key after which a listing continues.
 *
 * @throws {DomainError} INVALID_ARGUMENT when the token is not one of ours.
 */
export function parsePageToken(token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  const key = Buffer.from(token, "base64url").toString();
  if (key === "" || encodePageToken(key) !== token) {
    throw new DomainError("INVALID_ARGUMENT", `the page token of ${token.length} characters is not one of this store`);
  }
  return key;
}
