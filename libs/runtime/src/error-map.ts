import { randomUUID } from "node:crypto";
import { type DomainError, type DomainErrorCode, isDomainError } from "@parfocal/errors";
import { decodeRpcStatus, encodeRpcStatus, type googleRpc, type RpcDetails } from "@parfocal/protocol";
import { ServerError, Status } from "nice-grpc-common";
import { type FittedText, fitError } from "./errors/fit-error.ts";
import { detailsOf } from "./errors/rpc-details.ts";

/** The only table from codes to gRPC statuses. What a code lets the caller do decides: retry, redo, change, give up. */
export const STATUS_BY_CODE = {
  INVALID_ARGUMENT: Status.INVALID_ARGUMENT,
  EMPTY_BAG: Status.INVALID_ARGUMENT,
  NON_FINITE: Status.INVALID_ARGUMENT,
  SHAPE_MISMATCH: Status.INVALID_ARGUMENT,
  UNSUPPORTED_FORMAT: Status.INVALID_ARGUMENT,
  UNSAFE_PICKLE: Status.INVALID_ARGUMENT,
  UNSUPPORTED_OPERATION: Status.INVALID_ARGUMENT,
  GEOMETRY_MISMATCH: Status.FAILED_PRECONDITION,
  LABEL_LEAKAGE: Status.FAILED_PRECONDITION,
  PRECONDITION_FAILED: Status.FAILED_PRECONDITION,
  ALREADY_EXISTS: Status.ALREADY_EXISTS,
  // Somebody else's change won: read again, then write again.
  CONFLICT: Status.ABORTED,
  NOT_FOUND: Status.NOT_FOUND,
  CORRUPT: Status.DATA_LOSS,
  TRUNCATED: Status.DATA_LOSS,
  UNAUTHENTICATED: Status.UNAUTHENTICATED,
  FORBIDDEN: Status.PERMISSION_DENIED,
  // Not UNAVAILABLE: clients retry that at once, and a store that asks for less would get more.
  THROTTLED: Status.RESOURCE_EXHAUSTED,
  RESOURCE_EXHAUSTED: Status.RESOURCE_EXHAUSTED,
  OUT_OF_MEMORY: Status.RESOURCE_EXHAUSTED,
  DEADLINE_EXCEEDED: Status.DEADLINE_EXCEEDED,
  CANCELLED: Status.CANCELLED,
  UNREACHABLE: Status.UNAVAILABLE,
  DEVICE_MISSING: Status.FAILED_PRECONDITION,
  // Not UNAVAILABLE: the request that crashed the engine would be sent to the next one.
  ENGINE_CRASHED: Status.INTERNAL,
  // What earlier calls left behind is gone: the sequence starts again.
  STATE_LOST: Status.ABORTED,
  UNIMPLEMENTED: Status.UNIMPLEMENTED,
  INTERNAL: Status.INTERNAL,
} satisfies Record<DomainErrorCode, Status>;

/** An error as it goes over the wire. */
export interface RpcError {
  readonly code: DomainErrorCode;
  readonly status: Status;
  /** Text for the caller: the domain error's message, or the incident's number. */
  readonly message: string;
  /** Value of the trailer `grpc-status-details-bin`; with the message it stays under 8 KB of headers. */
  readonly statusDetails: Buffer;
  /** Of errors nobody foresaw: the number under which the log holds what happened. */
  readonly incidentId?: string;
}

/**
 * What the caller is told of any error. A `DomainError` keeps its code, message and details. nice-grpc's `ServerError`
 * keeps its status. Everything else becomes INTERNAL with a random incident number: its text belongs to the log alone.
 */
export function toRpcError(error: unknown): RpcError {
  if (isDomainError(error)) return build(error.code, fitError(error.message, error.details));
  if (error instanceof ServerError) {
    const code = CODE_BY_STATUS[error.code] ?? "INTERNAL";
    return { ...build(code, fitError(error.details, {})), status: error.code };
  }
  const incidentId = randomUUID();
  const text = fitError(`an internal error happened; the log has it as incident ${incidentId}`, { incidentId });
  return { ...build("INTERNAL", text), incidentId };
}

/** A domain error as a `google.rpc.Status`, details included: how an operation tells what it failed with. */
export function statusFromError({ code, message, details }: DomainError): googleRpc.Status {
  const { status, statusDetails } = build(code, fitError(message, details));
  return decodeRpcStatus(statusDetails) ?? { code: status, message, details: [] };
}

function build(code: DomainErrorCode, { message, details }: FittedText): RpcError {
  const status = STATUS_BY_CODE[code];
  const rpcDetails: RpcDetails = detailsOf(code, message, details);
  return { code, status, message, statusDetails: encodeRpcStatus({ code: status, message, details: rpcDetails }) };
}

/**
 * The code that best says what a bare gRPC status says, for servers that are not ours. `OK` is no error; `UNKNOWN` and
 * whatever gRPC may add are INTERNAL.
 */
export const CODE_BY_STATUS: Readonly<Partial<Record<Status, DomainErrorCode>>> = {
  [Status.CANCELLED]: "CANCELLED",
  [Status.INVALID_ARGUMENT]: "INVALID_ARGUMENT",
  [Status.OUT_OF_RANGE]: "INVALID_ARGUMENT",
  [Status.DEADLINE_EXCEEDED]: "DEADLINE_EXCEEDED",
  [Status.NOT_FOUND]: "NOT_FOUND",
  [Status.ALREADY_EXISTS]: "ALREADY_EXISTS",
  [Status.PERMISSION_DENIED]: "FORBIDDEN",
  [Status.UNAUTHENTICATED]: "UNAUTHENTICATED",
  [Status.RESOURCE_EXHAUSTED]: "RESOURCE_EXHAUSTED",
  [Status.FAILED_PRECONDITION]: "PRECONDITION_FAILED",
  [Status.ABORTED]: "CONFLICT",
  [Status.UNIMPLEMENTED]: "UNIMPLEMENTED",
  [Status.UNAVAILABLE]: "UNREACHABLE",
  [Status.DATA_LOSS]: "CORRUPT",
};
