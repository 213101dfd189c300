import { createHash } from "node:crypto";
import { DomainError } from "@parfocal/errors";

/** The metadata entry that holds the SHA-256 of an object's content. */
const CONTENT_DIGEST = "parfocal-sha256";

/** Larger objects are named by their digest and checked by who reads them; hashing these here costs a millisecond at most. */
const MAX_DIGESTED_BYTES = 1024 * 1024;

/** Metadata by which whole reads of a small object notice damage, whatever checksums the server knows. */
export function contentDigestMetadata(bytes: Uint8Array): Readonly<Record<string, string>> {
  return bytes.length > MAX_DIGESTED_BYTES ? {} : { [CONTENT_DIGEST]: digestOf(bytes) };
}

/**
 * Checks bytes that were read whole against the digest in their object's metadata, where there is one.
 *
 * @throws {DomainError} `CORRUPT`, which is worth another read: the damage may be of the way.
 */
export function assertContentDigest(metadata: Readonly<Record<string, string>> | undefined, bytes: Uint8Array): void {
  const wanted = metadata?.[CONTENT_DIGEST];
  if (wanted === undefined || bytes.length > MAX_DIGESTED_BYTES || digestOf(bytes) === wanted) return;
  throw new DomainError(
    "CORRUPT",
    `an object of ${bytes.length} bytes does not have the digest that it was written with`,
  );
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
