import { DomainError, type DomainErrorCode } from "@parfocal/errors";

/** What an error of the spool means to a caller; every other one is a defect of the machine, `INTERNAL`. */
const CODES: Readonly<Record<string, DomainErrorCode>> = {
  ENOSPC: "RESOURCE_EXHAUSTED",
  EDQUOT: "RESOURCE_EXHAUSTED",
  EFBIG: "RESOURCE_EXHAUSTED",
  EMFILE: "RESOURCE_EXHAUSTED",
  ENFILE: "RESOURCE_EXHAUSTED",
  EIO: "UNREACHABLE",
  ESTALE: "UNREACHABLE",
  ETIMEDOUT: "UNREACHABLE",
};

/**
 * What `spooling` gives: the keeping of a file on this machine for its import. Errors of others that reach it stay as they are.
 *
 * @throws {DomainError} `RESOURCE_EXHAUSTED` when there is no room, `UNREACHABLE`, `INTERNAL` for other errors of the file system, none
 *   with its path.
 */
export async function orSpoolError<T>(spooling: Promise<T>): Promise<T> {
  try {
    return await spooling;
  } catch (error) {
    throw spoolError(error);
  }
}

/** The error of the system is no cause of it: that would carry the path into the log. */
function spoolError(error: unknown): unknown {
  if (!isSystemError(error)) return error;
  return new DomainError(CODES[error.code] ?? "INTERNAL", `could not keep the file for its import: ${error.code}`);
}

function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string";
}
