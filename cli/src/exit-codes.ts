import { type DomainErrorCode, isDomainError } from "@parfocal/errors";

/** What the process ends with. */
export const EXIT_CODES = { ok: 0, failed: 1, usage: 2, unavailable: 3, interrupted: 130 } as const;

/** One of {@link EXIT_CODES}. */
export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

/** The exit codes as `--help` shows them. */
export const EXIT_CODES_HELP = `
Exit codes:
  0    everything asked for was done
  1    something failed: a file, a slide, an operation, a check
  2    the command line is wrong
  3    the gateway cannot be reached, or the services cannot start here
  130  interrupted (Ctrl-C); what ran was cancelled
`;

/** Codes that say that there was nobody to do the work. */
const UNAVAILABLE: ReadonlySet<DomainErrorCode> = new Set(["UNREACHABLE", "DEVICE_MISSING"]);

/**
 * What errors of the file system mean. None is `UNREACHABLE`, which is said of gateways; every other error of the system is a defect,
 * `INTERNAL`.
 */
const SYSTEM_CODES: Readonly<Record<string, DomainErrorCode>> = {
  ENOENT: "NOT_FOUND",
  ENAMETOOLONG: "INVALID_ARGUMENT",
  EEXIST: "PRECONDITION_FAILED",
  EISDIR: "PRECONDITION_FAILED",
  ENOTDIR: "PRECONDITION_FAILED",
  ENOTEMPTY: "PRECONDITION_FAILED",
  ELOOP: "PRECONDITION_FAILED",
  EBUSY: "PRECONDITION_FAILED",
  EIO: "PRECONDITION_FAILED",
  ESTALE: "PRECONDITION_FAILED",
  EACCES: "FORBIDDEN",
  EPERM: "FORBIDDEN",
  EROFS: "FORBIDDEN",
  ENOSPC: "RESOURCE_EXHAUSTED",
  EDQUOT: "RESOURCE_EXHAUSTED",
  EFBIG: "RESOURCE_EXHAUSTED",
  EMFILE: "RESOURCE_EXHAUSTED",
  ENFILE: "RESOURCE_EXHAUSTED",
};

/** Thrown for a command line that cannot be meant as it stands; everything else wrong is a `DomainError`. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Thrown when the services cannot start in this process; `cause` is why. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/** The exit code that an error stands for; `signal` tells whether the user interrupted. */
export function exitCodeFromError(error: unknown, signal: AbortSignal): ExitCode {
  if (signal.aborted) return EXIT_CODES.interrupted;
  if (error instanceof UsageError) return EXIT_CODES.usage;
  if (error instanceof StartError) return EXIT_CODES.unavailable;
  if (isDomainError(error) && UNAVAILABLE.has(error.code)) return EXIT_CODES.unavailable;
  return EXIT_CODES.failed;
}

/** Our code of an error of the file system; `undefined` for every other error. */
export function codeOfSystemError(error: unknown): DomainErrorCode | undefined {
  if (!(error instanceof Error && "syscall" in error && "code" in error)) return undefined;
  return SYSTEM_CODES[String(error.code)];
}

/** Code and message of an error, for people and programs. */
export function describeError(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof UsageError) return { code: "INVALID_ARGUMENT", message: error.message };
  if (error instanceof StartError) return describeError(error.cause);
  if (isDomainError(error)) return { code: error.code, message: error.message };
  const code = codeOfSystemError(error) ?? "INTERNAL";
  return { code, message: error instanceof Error ? error.message : String(error) };
}
