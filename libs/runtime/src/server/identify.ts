import { randomUUID } from "node:crypto";
import { type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { MethodDescriptor, ServerMiddleware } from "nice-grpc-common";
import type { Logger } from "../telemetry/logger.ts";
import { OPERATION_KEY, operationFromHeader } from "../telemetry/operation-context.ts";
import { contextFromMetadata, traceIdOf } from "../telemetry/trace-context.ts";
import type { CallScope } from "./call-scope.ts";

/** Metadata key of the request's id, both ways. */
export const REQUEST_ID_KEY = "x-request-id";

/** What an id may be: it is repeated in headers and logs, so nothing that could break either. */
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

const tracer = trace.getTracer("parfocal");

/**
 * Gives the call its request id (the caller's when it is a decent one), its span (named after the method, never after
 * what it is about) and its log.
 */
export function createIdentify(logger: Logger): ServerMiddleware<Pick<CallScope, "requestId" | "otelContext" | "log">> {
  return async function* identify(call, context) {
    const asked = context.metadata.get(REQUEST_ID_KEY);
    const requestId = asked !== undefined && REQUEST_ID.test(asked) ? asked : randomUUID();
    context.header.set(REQUEST_ID_KEY, requestId);
    const parent = contextFromMetadata(context.metadata);
    const span = startSpan(call.method, parent);
    const otelContext = trace.setSpan(parent, span);
    const traceId = traceIdOf(otelContext);
    const method = call.method.path.slice(1);
    const operation = operationFromHeader(context.metadata.get(OPERATION_KEY));
    const log = logger.with({
      ...{ method, requestId },
      ...(traceId === undefined ? {} : { traceId }),
      ...(operation === undefined ? {} : { operation }),
    });
    span.setAttributes({ "parfocal.request_id": requestId, ...(operation && { "parfocal.operation": operation }) });
    try {
      return yield* call.next(call.request, { ...context, requestId, otelContext, log });
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  };
}

function startSpan(method: MethodDescriptor, parent: Parameters<typeof trace.setSpan>[0]): Span {
  const [service = "", name = ""] = method.path.slice(1).split("/");
  const attributes = { "rpc.system": "grpc", "rpc.service": service, "rpc.method": name };
  return tracer.startSpan(method.path.slice(1), { kind: SpanKind.SERVER, attributes }, parent);
}
