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
  ELOOP: "CONFLICT",
  EXDEV: "UNSUPPORTED_OPERATION",
  EIO: "UNREACHABLE",
  ESTALE: "UNREACHABLE",
  ETIMEDOUT: "UNREACHABLE",
};

/** The same of SQLite, which holds the locks, by its primary result code: read-only, full, cannot be opened. */
const CODES_BY_SQLITE: Readonly<Record<number, DomainErrorCode>> = {
  8: "FORBIDDEN",
  13: "RESOURCE_EXHAUSTED",
  14: "FORBIDDEN",
};

/** The system's code of an error (`ENOENT`), if it has one. */
export function systemCodeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Whether the file system said that there is nothing at the path. Links that lead in a circle lead to nothing. */
export function isMissing(error: unknown): boolean {
  const code = systemCodeOf(error);
  return code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP";
}

/**
 * The {@link DomainError} of a failed file operation. The path stays in the cause: it may name a slide.
 *
 * @param action what failed, as in "could not <action>".
 */
export function fileError(error: unknown, action: string): DomainError {
  if (error instanceof DomainError) return error;
  const code = systemCodeOf(error);
  const mapped = sqliteCodeOf(error) ?? (code === undefined ? undefined : CODES[code]);
  return new DomainError(mapped ?? "INTERNAL", `could not ${action}: ${code ?? "unknown error"}`, { cause: error });
}

/** Extended result codes have the primary one in their lowest byte. */
function sqliteCodeOf(error: unknown): DomainErrorCode | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return CODES_BY_SQLITE[error.errcode & 0xff];
}
