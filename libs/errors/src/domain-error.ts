/**
 * Every error code of Parfocal, and nothing else.
 *
 * A code says what the caller may do about it; the message says what happened. `libs/runtime` maps each one to a gRPC
 * status in one exhaustive table.
 */
export const DOMAIN_ERROR_CODES = [
  // The request itself is wrong: sending it again cannot help.
  "INVALID_ARGUMENT",
  "EMPTY_BAG",
  "NON_FINITE",
  "SHAPE_MISMATCH",
  "UNSUPPORTED_FORMAT",
  "UNSAFE_PICKLE",
  "UNSUPPORTED_OPERATION",
  // The request is right but the world is not in the state it needs.
  "GEOMETRY_MISMATCH",
  "LABEL_LEAKAGE",
  "PRECONDITION_FAILED",
  "ALREADY_EXISTS",
  "CONFLICT",
  "NOT_FOUND",
  // Stored bytes are not what they should be.
  "CORRUPT",
  "TRUNCATED",
  // Who may.
  "UNAUTHENTICATED",
  "FORBIDDEN",
  // Resources and time.
  "THROTTLED",
  "RESOURCE_EXHAUSTED",
  "OUT_OF_MEMORY",
  "DEADLINE_EXCEEDED",
  "CANCELLED",
  "UNREACHABLE",
  // The engine.
  "DEVICE_MISSING",
  "ENGINE_CRASHED",
  "STATE_LOST",
  // Ours.
  "UNIMPLEMENTED",
  "INTERNAL",
] as const;

/** One of the closed list of error codes. */
export type DomainErrorCode = (typeof DOMAIN_ERROR_CODES)[number];

/** What a {@link DomainError} may carry beside its message. */
export interface DomainErrorOptions {
  /** Facts for programs (field, value, bound). Never an identifier of a patient, slide or bucket. */
  readonly details?: Readonly<Record<string, string>>;
  /** The error underneath, for the log only. */
  readonly cause?: unknown;
}

/**
 * The only error that Parfocal throws on purpose. The message gives the offending value and the bound it broke.
 */
export class DomainError extends Error {
  readonly code: DomainErrorCode;
  readonly details: Readonly<Record<string, string>>;

  constructor(code: DomainErrorCode, message: string, options: DomainErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "DomainError";
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** Whether `error` is a {@link DomainError}, optionally of one code. */
export function isDomainError(error: unknown, code?: DomainErrorCode): error is DomainError {
  return error instanceof DomainError && (code === undefined || error.code === code);
}

/** Throws `CANCELLED` (or `DEADLINE_EXCEEDED` when the signal timed out) if `signal` has fired. */
export function assertNotAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortErrorFromSignal(signal);
}

/** The {@link DomainError} that an aborted signal stands for: its own reason when that is one, else by its name. */
export function abortErrorFromSignal(signal: AbortSignal): DomainError {
  const reason: unknown = signal.reason;
  if (reason instanceof DomainError) return reason;
  const isTimeout = reason instanceof Error && reason.name === "TimeoutError";
  return isTimeout
    ? new DomainError("DEADLINE_EXCEEDED", "the deadline passed before the work was done", { cause: reason })
    : new DomainError("CANCELLED", "the caller cancelled the work", { cause: reason });
}
