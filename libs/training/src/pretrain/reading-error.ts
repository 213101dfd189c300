import { DomainError, isDomainError } from "@parfocal/errors";
import { shortDigest } from "../short-digest.ts";

/** What could not be read. */
interface FailedRead {
  /** As the message calls it, in front of the bag's digest. */
  readonly what: string;
  /** SHA-256 of the bag, which names no slide. */
  readonly digest: string;
  /** Number of the region in its part. */
  readonly region?: number;
}

/**
 * `error` with what could not be read and whose bytes: in its details (`bagDigest`, `region`), and in its message. The code stays. What is no error of ours, or came of `signal`, is given back as it is.
 */
export function readingError(error: unknown, { what, digest, region }: FailedRead, signal: AbortSignal): unknown {
  if (!isDomainError(error) || signal.aborted) return error;
  const own = { bagDigest: digest, ...(region !== undefined && { region: `${region}` }) };
  return new DomainError(error.code, `${what} ${shortDigest(digest)} cannot be read: ${error.message}`, {
    details: { ...error.details, ...own },
    cause: error,
  });
}
