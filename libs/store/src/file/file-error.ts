import { DomainError, type DomainErrorCode } from "@parfocal/errors";

/** What the errors of the file system mean to a caller of the store. */
const CODES: Readonly<Record<string, DomainErrorCode>> = {
  ENOENT: "NOT_FOUND",
  ENOTDIR: "NOT_FOUND",
  EACCES: "FORBIDDEN",
  EPERM: "FORBIDDEN",
  EROFS: "FORBIDDEN",
  ENOSPC: "RESOURCE_EXHAUSTED",
  EDQUOT: "RESOURCE_EXHAUSTED",
  EFBIG: "RESOURCE_EXHAUSTED",
  EMFILE: "RESOURCE_EXHAUSTED",
  ENFILE: "RESOURCE_EXHAUSTED",
  ENAMETOOLONG: "INVALID_ARGUMENT",
  EISDIR: "CONFLICT",
  EEXIST: "CONFLICT",
  ENOTEMPTY: "CONFLICT",
  EXDEV: "UNSUPPORTED_OPERATION",
  EIO: "UNREACHABLE",
  ESTALE: "UNREACHABLE",
  ETIMEDOUT: "UNREACHABLE",
};

/** The system's code of an error (`ENOENT`), if it has one. */
export function systemCodeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Whether the file system said that there is nothing at the path. */
export function isMissing(error: unknown): boolean {
  const code = systemCodeOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/**
 * The {@link DomainError} of a failed file operation. The path stays in the cause: it may name a slide.
 *
 * @param action what failed, as in "could not <action>".
 */
export function fileError(error: unknown, action: string): DomainError {
  if (error instanceof DomainError) return error;
  const code = systemCodeOf(error);
  const mapped = code === undefined ? undefined : CODES[code];
  return new DomainError(mapped ?? "INTERNAL", `could not ${action}: ${code ?? "unknown error"}`, { cause: error });
}
