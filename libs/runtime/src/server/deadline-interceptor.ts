import { ServerInterceptingCall, type ServerInterceptor, ServerListenerBuilder } from "@grpc/grpc-js";
import type { Metadata } from "nice-grpc-common";

/** Metadata key under which the interceptor leaves the deadline. Whatever a caller sends under it is overwritten. */
const DEADLINE_KEY = "parfocal-deadline-ms";

/**
 * Leaves the caller's deadline (ms since the epoch, or `Infinity`) in the metadata, because nice-grpc does not pass it on
 * and gRPC itself takes the `grpc-timeout` header away.
 */
export const deadlineInterceptor: ServerInterceptor = (_method, call) =>
  new ServerInterceptingCall(call, {
    start(next) {
      const listener = new ServerListenerBuilder().withOnReceiveMetadata((metadata, nextMetadata) => {
        metadata.set(DEADLINE_KEY, String(Number(call.getDeadline())));
        nextMetadata(metadata);
      });
      next(listener.build());
    },
  });

/** The deadline that {@link deadlineInterceptor} left, in ms since the epoch; `undefined` when the caller set none. */
export function deadlineOf(metadata: Metadata): number | undefined {
  const deadlineMs = Number(metadata.get(DEADLINE_KEY) ?? Number.NaN);
  return Number.isFinite(deadlineMs) ? deadlineMs : undefined;
}
