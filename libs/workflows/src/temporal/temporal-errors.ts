import { DomainError, type DomainErrorCode, isDomainError } from "@parfocal/errors";

/** gRPC statuses of a Temporal server that mean something to our callers; others are `INTERNAL`. */
const CODES: Readonly<Record<number, DomainErrorCode>> = {
  1: "CANCELLED",
  4: "UNREACHABLE", // A deadline of ours on the way to the server: it did not answer.
  7: "FORBIDDEN",
  8: "THROTTLED",
  14: "UNREACHABLE",
  16: "UNAUTHENTICATED",
};

/** The domain error for what a call of the Temporal server threw. The server's own words stay in the cause, for logs. */
export function temporalError(error: unknown): DomainError {
  if (isDomainError(error)) return error;
  const status = statusOf(error);
  const code = status === undefined ? "UNREACHABLE" : (CODES[status] ?? "INTERNAL");
  return new DomainError(code, `the Temporal server ${describe(code)}`, { cause: error });
}

function describe(code: DomainErrorCode): string {
  if (code === "UNREACHABLE") return "did not answer";
  return `answered with ${code}`;
}

/** The gRPC status of what the SDK threw, which it wraps in errors of its own; undefined when it came to no answer. */
export function statusOf(error: unknown): number | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as Error & { readonly code?: unknown };
    if (typeof code === "number") return code;
  }
  return undefined;
}
