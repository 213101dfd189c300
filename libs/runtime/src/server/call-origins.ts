import { ServerInterceptingCall, type ServerInterceptor, ServerListenerBuilder } from "@grpc/grpc-js";
import type { Metadata } from "nice-grpc-common";
import { createSlots, type Slots } from "../memory/slots.ts";

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
  /** Notes a call that came by no stream of its own under its metadata; the function it gives says that it has ended. */
  note(metadata: Metadata, origin: CallOrigin): () => void;
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
  const noted = createSlots<NotedCall>();
  let nCalls = 0;
  const add = (metadata: { set(key: string, value: string): unknown }, origin: CallOrigin): number => {
    const id = String(++nCalls);
    const place = noted.add({ id, origin });
    metadata.set(CALL_KEY, `${place}.${id}`);
    return place;
  };
  const interceptor: ServerInterceptor = (method, call) =>
    new ServerInterceptingCall(call, {
      start(next) {
        let place = Number.NaN;
        const listener = new ServerListenerBuilder()
          .withOnReceiveMetadata((metadata, nextMetadata) => {
            const deadlineMs = Number(call.getDeadline());
            const origin: CallOrigin = {
              method: method.path.slice(1),
              peer: call.getPeer(),
              startedMs: performance.now(),
              deadlineMs: Number.isFinite(deadlineMs) ? deadlineMs : undefined,
              certificate: hasClientCertificates ? call.getAuthContext().sslPeerCertificate?.raw : undefined,
              isSeen: false,
            };
            place = add(metadata, origin);
            nextMetadata(metadata);
          })
          // gRPC says "cancel" of every stream that has ended, also of those that ended well.
          .withOnCancel(() => {
            const ended = noted.at(place);
            noted.remove(place);
            place = Number.NaN;
            if (ended !== undefined) onEnd?.(ended.origin);
          });
        next(listener.build());
      },
    });
  return {
    interceptor,
    note(metadata, origin) {
      const place = add(metadata, origin);
      return () => {
        noted.remove(place);
        onEnd?.(origin);
      };
    },
    of: (metadata) => find(noted, metadata.get(CALL_KEY) ?? ""),
  };
}

/** A call in its place. A place is used again, an id never: who comes late finds nothing rather than another call. */
interface NotedCall {
  readonly id: string;
  readonly origin: CallOrigin;
}

function find(noted: Slots<NotedCall>, key: string): CallOrigin | undefined {
  const [place, id] = key.split(".");
  const found = noted.at(Number(place));
  return found?.id === id ? found?.origin : undefined;
}
