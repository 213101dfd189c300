import { ServerInterceptingCall, type ServerInterceptor, ServerListenerBuilder } from "@grpc/grpc-js";
import type { Metadata } from "nice-grpc-common";

/** Metadata key under which the interceptor leaves a call's number. Whatever a caller sends under it is overwritten. */
const CALL_KEY = "parfocal-call";

/** What gRPC knows of a call and nice-grpc does not pass on, and what the chain finds out for the audit record. */
export interface CallOrigin {
  /** `package.Service/Method`. */
  readonly method: string;
  /** Address of the caller as gRPC gives it. */
  readonly peer: string;
  readonly startedMs: number;
  /** The caller's deadline, ms since the epoch; `undefined` when there is none. */
  readonly deadlineMs: number | undefined;
  /** DER of the client certificate that TLS verified. */
  readonly certificate: Buffer | undefined;
  /** Whether the chain saw the call; gRPC answers by itself what it cannot read. */
  isSeen: boolean;
}

/** The calls that run now, by the number that their metadata carry. */
export interface CallOrigins {
  readonly interceptor: ServerInterceptor;
  of(metadata: Metadata): CallOrigin | undefined;
}

/** Options of {@link createCallOrigins}. */
export interface CallOriginsOptions {
  /** Whether callers may have certificates: reading one costs a parse per call. */
  readonly hasClientCertificates: boolean;
  /** Hears of every call that has ended, read or not. */
  onEnd?(origin: CallOrigin): void;
}

/** Notes every call before its message is read, until its stream has ended. */
export function createCallOrigins({ hasClientCertificates, onEnd }: CallOriginsOptions): CallOrigins {
  const origins = new Map<string, CallOrigin>();
  let nCalls = 0;
  const interceptor: ServerInterceptor = (method, call) =>
    new ServerInterceptingCall(call, {
      start(next) {
        const id = String(++nCalls);
        const listener = new ServerListenerBuilder()
          .withOnReceiveMetadata((metadata, nextMetadata) => {
            const deadlineMs = Number(call.getDeadline());
            origins.set(id, {
              method: method.path.slice(1),
              peer: call.getPeer(),
              startedMs: performance.now(),
              deadlineMs: Number.isFinite(deadlineMs) ? deadlineMs : undefined,
              certificate: hasClientCertificates ? call.getAuthContext().sslPeerCertificate?.raw : undefined,
              isSeen: false,
            });
            metadata.set(CALL_KEY, id);
            nextMetadata(metadata);
          })
          // gRPC says "cancel" of every stream that has ended, also of those that ended well.
          .withOnCancel(() => {
            const origin = origins.get(id);
            origins.delete(id);
            if (origin !== undefined) onEnd?.(origin);
          });
        next(listener.build());
      },
    });
  return { interceptor, of: (metadata) => origins.get(metadata.get(CALL_KEY) ?? "") };
}
