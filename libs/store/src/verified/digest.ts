import { DomainError } from "@parfocal/errors";

/** How much of a digest an error shows: enough to compare, and not the whole name of a content-addressed object. */
const N_SHOWN = 12;

/**
 * Checks the form of a SHA-256: 64 lower-case hexadecimal digits.
 *
 * @throws {DomainError} INVALID_ARGUMENT when it has another.
 */
export function assertDigest(digest: string): void {
  if (/^[0-9a-f]{64}$/.test(digest)) return;
  throw new DomainError(
    "INVALID_ARGUMENT",
    `a SHA-256 is 64 hexadecimal digits in lower case, got ${digest.length} characters`,
  );
}

/** The error of content that is not what its digest says. */
export function digestMismatch(expected: string, actual: string): DomainError {
  return new DomainError(
    "CORRUPT",
    `the content's SHA-256 begins ${actual.slice(0, N_SHOWN)}, expected ${expected.slice(0, N_SHOWN)}`,
  );
}
