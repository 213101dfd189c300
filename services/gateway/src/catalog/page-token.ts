import { DomainError } from "@parfocal/errors";

/** A token that goes on with the listing of `prefix` where the store's own token does. */
export function encodePageToken(prefix: string, storeToken: string): string {
  return Buffer.from(JSON.stringify([prefix, storeToken])).toString("base64url");
}

/**
 * Inverse of {@link encodePageToken}: the store's own token. Stores take the token of another listing and then find nothing, which would
 * look like its end.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a token of another listing, or none.
 */
export function parsePageToken(prefix: string, token: string): string {
  const [listing, storeToken] = tokenParts(token);
  if (listing === prefix) return storeToken;
  throw refused("the page token belongs to another listing");
}

/** The refusal of a token that no listing gave. */
export function invalidPageToken(cause?: unknown): DomainError {
  return refused("the page token is not one that a listing gave", cause);
}

function tokenParts(token: string): readonly [string, string] {
  const parts = parseJson(Buffer.from(token, "base64url").toString());
  if (Array.isArray(parts) && parts.length === 2 && parts.every((part) => typeof part === "string")) {
    const [listing, storeToken] = parts as unknown as readonly [string, string];
    // Decoding skips what is no base64url.
    if (encodePageToken(listing, storeToken) === token) return [listing, storeToken];
  }
  throw invalidPageToken();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Not ours: the caller says so.
  }
}

function refused(message: string, cause?: unknown): DomainError {
  return new DomainError("INVALID_ARGUMENT", message, { details: { field: "page_token" }, cause });
}
