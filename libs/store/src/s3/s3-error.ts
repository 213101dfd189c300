import { DomainError, type DomainErrorCode } from "@parfocal/errors";
import { objectNotFound } from "../conditions.ts";
import type { Failure } from "./retry.ts";

/** What an S3 answer means to the caller, by the name of its error; names not here go by the HTTP status. */
const CODES_BY_NAME: Readonly<Record<string, DomainErrorCode>> = {
  NoSuchBucket: "NOT_FOUND",
  NoSuchUpload: "NOT_FOUND",
  InvalidAccessKeyId: "FORBIDDEN",
  ExpiredToken: "FORBIDDEN",
  InvalidToken: "FORBIDDEN",
  TokenRefreshRequired: "FORBIDDEN",
  SlowDown: "THROTTLED",
  ServiceUnavailable: "THROTTLED",
  Throttling: "THROTTLED",
  ThrottlingException: "THROTTLED",
  RequestLimitExceeded: "THROTTLED",
  TooManyRequests: "THROTTLED",
  // Others write the same object just now: it passes, unlike a condition that is broken.
  ConditionalRequestConflict: "THROTTLED",
  XMinioStorageFull: "RESOURCE_EXHAUSTED",
  QuotaExceeded: "RESOURCE_EXHAUSTED",
  // The bytes were damaged on the way to the server, which refused them.
  BadDigest: "CORRUPT",
  XAmzContentChecksumMismatch: "CORRUPT",
  XAmzContentSHA256Mismatch: "CORRUPT",
  RequestTimeout: "UNREACHABLE",
  IncompleteBody: "UNREACHABLE",
  // The SDK has set its clock by the answer: the next try is signed with the server's time.
  RequestTimeTooSkewed: "UNREACHABLE",
};

const CODES_BY_STATUS: Readonly<Record<number, DomainErrorCode>> = {
  301: "INVALID_ARGUMENT",
  307: "INVALID_ARGUMENT",
  400: "INVALID_ARGUMENT",
  401: "FORBIDDEN",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  405: "UNSUPPORTED_OPERATION",
  408: "UNREACHABLE",
  409: "CONFLICT",
  412: "PRECONDITION_FAILED",
  416: "INVALID_ARGUMENT",
  425: "UNREACHABLE",
  429: "THROTTLED",
  501: "UNSUPPORTED_OPERATION",
  503: "THROTTLED",
  507: "RESOURCE_EXHAUSTED",
};

/** Trying again can help: the world may have changed by then. */
const RETRYABLE: readonly DomainErrorCode[] = ["THROTTLED", "UNREACHABLE", "TRUNCATED", "CORRUPT"];

/** Errors of the connection rather than of the server: of the system, of Node's HTTP parser, streams and TLS. */
const NETWORK_CODES =
  /^(E(?!RR_)[A-Z0-9_]+|HPE_.*|UND_ERR.*|ERR_(TLS|SSL|OSSL|SOCKET|STREAM|HTTP2)_.*|CERT.*|.*_CERT.*|.*_SIGNATURE.*)$/;

/** What the driver reads of an error, whatever its class. */
interface ErrorFacts {
  readonly name: string;
  readonly code: string | undefined;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
}

/**
 * Sorts a failed request. The messages carry the names and statuses of S3, not its texts: those quote keys and buckets.
 */
export function classifyS3Error(cause: unknown): Failure {
  if (cause instanceof DomainError) return { error: cause, isRetryable: RETRYABLE.includes(cause.code) };
  const facts = factsOf(cause);
  const error = errorFromFacts(facts, cause);
  const isRetryable = RETRYABLE.includes(error.code);
  return facts.retryAfterMs === undefined
    ? { error, isRetryable }
    : { error, isRetryable, retryAfterMs: facts.retryAfterMs };
}

/** The HTTP status of a failed request, if the server answered. */
export function statusOf(error: unknown): number | undefined {
  return factsOf(error).status;
}

function errorFromFacts(facts: ErrorFacts, cause: unknown): DomainError {
  const { name, code, status } = facts;
  if (name === "NoSuchKey" || name === "NotFound") return objectNotFound(cause);
  if (name === "CredentialsProviderError") {
    return new DomainError("FORBIDDEN", "no credentials for the store: none given, none in the environment", { cause });
  }
  if (isChecksumMismatch(cause)) return new DomainError("CORRUPT", "the body does not match its checksum", { cause });
  const known = CODES_BY_NAME[name] ?? (status === undefined ? undefined : CODES_BY_STATUS[status]);
  if (known !== undefined)
    return new DomainError(known, `the store answered ${status ?? "without a status:"} ${name}`, { cause });
  // 2xx: an answer that is none of S3, as a proxy on the way may give.
  if (status !== undefined && (status >= 500 || (status >= 200 && status < 300))) {
    return new DomainError("UNREACHABLE", `the store answered ${status} ${name}`, { cause });
  }
  if (name === "TimeoutError" || (code !== undefined && NETWORK_CODES.test(code))) {
    return new DomainError("UNREACHABLE", `no connection to the store: ${code ?? name}`, { cause });
  }
  return new DomainError("INTERNAL", `the store's client failed: ${name}`, { cause });
}

function isChecksumMismatch(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Checksum mismatch");
}

function factsOf(error: unknown): ErrorFacts {
  const outer = recordOf(error);
  const metadata = recordOf(outer.$metadata);
  const headers = recordOf(recordOf(outer.$response).headers);
  const status = metadata.httpStatusCode ?? recordOf(outer.$response).statusCode;
  return {
    name: typeof outer.name === "string" ? outer.name : "unknown",
    code: typeof outer.code === "string" ? outer.code : undefined,
    status: typeof status === "number" ? status : undefined,
    retryAfterMs: parseRetryAfter(headers["retry-after"]),
  };
}

/** Only whole seconds: the form with a date would need a clock that agrees with the server's. */
function parseRetryAfter(value: unknown): number | undefined {
  return typeof value === "string" && /^\d{1,6}$/.test(value) ? Number(value) * 1000 : undefined;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
