import { type AnyCodec, packAny, unpackAny } from "./any.ts";
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  QuotaFailure,
  ResourceInfo,
  RetryInfo,
} from "./gen/google/rpc/error_details.ts";
import { Status } from "./gen/google/rpc/status.ts";

/** Trailer that carries the encoded `google.rpc.Status` of a failed call. */
export const STATUS_DETAILS_KEY = "grpc-status-details-bin";

/** The details of `google.rpc` that Parfocal writes and reads. */
interface DetailMessages {
  readonly ErrorInfo: ErrorInfo;
  readonly BadRequest: BadRequest;
  readonly RetryInfo: RetryInfo;
  readonly ResourceInfo: ResourceInfo;
  readonly PreconditionFailure: PreconditionFailure;
  readonly QuotaFailure: QuotaFailure;
}

/** At most one detail of each kind. */
export type RpcDetails = Partial<DetailMessages>;

type DetailKind = keyof DetailMessages;

const codecs: { readonly [Kind in DetailKind]: AnyCodec<DetailMessages[Kind]> } = {
  ErrorInfo,
  BadRequest,
  RetryInfo,
  ResourceInfo,
  PreconditionFailure,
  QuotaFailure,
};

/** A rich error: gRPC status code, text and details. */
export interface RpcStatus {
  readonly code: number;
  readonly message: string;
  readonly details: RpcDetails;
}

function packDetail<Kind extends DetailKind>(kind: Kind, message: DetailMessages[Kind]) {
  return packAny(`google.rpc.${kind}`, codecs[kind], message);
}

/** The bytes of the trailer {@link STATUS_DETAILS_KEY}. */
export function encodeRpcStatus(status: RpcStatus): Buffer {
  const details = (Object.keys(codecs) as DetailKind[]).flatMap((kind) => {
    const message = status.details[kind];
    return message === undefined ? [] : [packDetail(kind, message)];
  });
  return Buffer.from(Status.encode({ code: status.code, message: status.message, details }).finish());
}

/** The status in the trailer's bytes, or `undefined` when they are none: a foreign server may write what it likes. */
export function decodeRpcStatus(bytes: Uint8Array): Status | undefined {
  try {
    return Status.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The first readable detail of a kind in a decoded status. */
export function findDetail<Kind extends DetailKind>(status: Status, kind: Kind): DetailMessages[Kind] | undefined {
  for (const any of status.details) {
    try {
      const message = unpackAny<DetailMessages[Kind]>(`google.rpc.${kind}`, codecs[kind], any);
      if (message !== undefined) return message;
    } catch {
      // A detail that cannot be read is as good as absent: the status code and message still stand.
    }
  }
  return undefined;
}
