import { abortErrorFromSignal } from "@parfocal/errors";
import { STATUS_DETAILS_KEY } from "@parfocal/protocol";
import { type CallContext, ServerError, type ServerMiddleware, Status } from "nice-grpc-common";
import { type RpcError, toRpcError } from "../error-map.ts";
import type { LogFields, Logger } from "../telemetry/logger.ts";
import type { ServerMetrics } from "../telemetry/metrics.ts";
import { OPERATION_KEY, operationFromHeader } from "../telemetry/operation-context.ts";
import type { CallOrigin, CallOrigins } from "./call-origins.ts";
import type { CallFacts, CallScope } from "./call-scope.ts";
import { REQUEST_ID_KEY } from "./identify.ts";

/** Statuses that are the server's fault, for the log. */
const faults: ReadonlySet<Status> = new Set([Status.INTERNAL, Status.UNKNOWN, Status.DATA_LOSS, Status.UNAVAILABLE]);

/** How a call ended. */
export interface EndedCall {
  readonly origin: CallOrigin;
  readonly facts: CallFacts;
  readonly requestId: string | undefined;
  readonly status: Status;
  readonly durationMs: number;
}

/** Options of {@link createRecover}. */
export interface RecoverOptions {
  readonly logger: Logger;
  readonly metrics: ServerMetrics;
  readonly origins: Pick<CallOrigins, "of">;
  /** Hears of every call that ended. */
  readonly onEnd?: ((call: EndedCall) => void) | undefined;
}

/**
 * The outermost step: whatever is thrown inside becomes a rich gRPC error by the one error map, and every call is
 * counted and timed. What nobody foresaw goes to the log under its incident number.
 */
export function createRecover(options: RecoverOptions): ServerMiddleware<Pick<CallScope, "origin" | "facts">> {
  const { logger, metrics, origins, onEnd } = options;
  return async function* recover(call, context) {
    const startedMs = performance.now();
    const end = metrics.callStarted(call.method);
    const origin = origins.of(context.metadata) ?? goneBefore(call.method.path.slice(1), context.peer, startedMs);
    origin.isSeen = true;
    const facts: CallFacts = {};
    // A caller that leaves a stream ends this generator from outside: neither OK nor an error is then seen here.
    let status = Status.CANCELLED;
    try {
      const response = yield* call.next(call.request, { ...context, origin, facts });
      status = Status.OK;
      return response;
    } catch (error) {
      const rpcError = toRpcError(
        isAbort(error) && context.signal.aborted ? abortErrorFromSignal(context.signal) : error,
      );
      status = rpcError.status;
      report(logger, call.method.path.slice(1), context, rpcError, error);
      context.trailer.set(STATUS_DETAILS_KEY, rpcError.statusDetails);
      throw new ServerError(rpcError.status, rpcError.message);
    } finally {
      const durationMs = performance.now() - startedMs;
      end(status, durationMs / 1000);
      const requestId = context.header.get(REQUEST_ID_KEY);
      onEnd?.({ origin, facts, requestId, status, durationMs });
      logger.debug("call ended", { ...about(call.method.path.slice(1), context), code: Status[status], durationMs });
    }
  };
}

/** A call whose stream ended between its arrival and this step. */
function goneBefore(method: string, peer: string, startedMs: number): CallOrigin {
  return { method, peer, startedMs, deadlineMs: undefined, certificate: undefined, isSeen: true };
}

/** Whether `error` is what an aborted wait throws: DOM's AbortError or the one of nice-grpc's own helpers. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError");
}

function about(method: string, { header, metadata }: CallContext): LogFields {
  const requestId = header.get(REQUEST_ID_KEY);
  const operation = operationFromHeader(metadata.get(OPERATION_KEY));
  return { method, ...(requestId && { requestId }), ...(operation && { operation }) };
}

function report(logger: Logger, method: string, context: CallContext, rpcError: RpcError, error: unknown): void {
  if (!faults.has(rpcError.status)) return;
  const fields = { ...about(method, context), code: rpcError.code, error };
  if (rpcError.incidentId === undefined) logger.warn("call failed", fields);
  else logger.error("call failed in a way nobody foresaw", { ...fields, incidentId: rpcError.incidentId });
}
