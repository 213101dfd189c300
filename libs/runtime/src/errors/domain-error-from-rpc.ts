import { DOMAIN_ERROR_CODES, DomainError, type DomainErrorCode, isDomainError } from "@parfocal/errors";
import { decodeRpcStatus, findDetail, type googleRpc, msFromDuration, STATUS_DETAILS_KEY } from "@parfocal/protocol";
import { ClientError, type Metadata } from "nice-grpc-common";
import { CODE_BY_STATUS } from "../error-map.ts";
import { ERROR_DOMAIN, RETRY_AFTER_KEY } from "./rpc-details.ts";

const codes: ReadonlySet<string> = new Set(DOMAIN_ERROR_CODES);

/**
 * The `DomainError` that a failed call stands for: the server's own code, message and details when it is one of ours,
 * else the code that best says its status. `trailer` is the one of the call; without it only the status speaks.
 * Errors that are no gRPC errors come back as they are.
 */
export function domainErrorFromRpc(error: unknown, trailer?: Metadata): unknown {
  if (isDomainError(error) || !(error instanceof ClientError)) return error;
  const status = decodeTrailer(trailer);
  return (
    (status && ownError(status, error)) ??
    new DomainError(CODE_BY_STATUS[error.code] ?? "INTERNAL", error.details, {
      cause: error,
      details: retryDetails(status),
    })
  );
}

/** The `DomainError` that a `google.rpc.Status` stands for, e.g. of an operation that failed: ours as it was, else the nearest code. */
export function domainErrorFromStatus(status: googleRpc.Status): DomainError {
  const code = CODE_BY_STATUS[status.code as keyof typeof CODE_BY_STATUS] ?? "INTERNAL";
  return ownError(status) ?? new DomainError(code, status.message, { details: retryDetails(status) });
}

/** The error in a status of ours, code and details included. */
function ownError(status: googleRpc.Status, cause?: unknown): DomainError | undefined {
  const info = findDetail(status, "ErrorInfo");
  if (info === undefined || info.domain !== ERROR_DOMAIN || !codes.has(info.reason)) return undefined;
  const details = { ...info.metadata, ...retryDetails(status) };
  return new DomainError(info.reason as DomainErrorCode, status.message, { cause, details });
}

function decodeTrailer(trailer: Metadata | undefined) {
  const bytes = trailer?.get(STATUS_DETAILS_KEY);
  return bytes === undefined ? undefined : decodeRpcStatus(bytes);
}

/** The wait the server asks for, as the detail that {@link RETRY_AFTER_KEY} names. */
function retryDetails(status: ReturnType<typeof decodeTrailer>): Record<string, string> {
  const delay = status && findDetail(status, "RetryInfo")?.retryDelay;
  if (delay === undefined) return {};
  try {
    return { [RETRY_AFTER_KEY]: String(Math.max(0, Math.round(msFromDuration(delay)))) };
  } catch {
    return {};
  }
}
