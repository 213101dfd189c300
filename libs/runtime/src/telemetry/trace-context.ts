import {
  type Context,
  createTraceState,
  isSpanContextValid,
  ROOT_CONTEXT,
  type SpanContext,
  trace,
} from "@opentelemetry/api";
import type { Metadata } from "nice-grpc-common";

/** W3C trace context in gRPC metadata. */
const TRACEPARENT_KEY = "traceparent";
const TRACESTATE_KEY = "tracestate";

/** Bound that W3C asks every participant to carry at least; longer states are dropped, not cut. */
const MAX_TRACESTATE_LENGTH = 512;

/** Versions above 00 may append fields; `ff` is forbidden. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

function parseTraceparent(text: string, state: string | undefined): SpanContext | undefined {
  const match = TRACEPARENT.exec(text);
  if (match === null || (text.startsWith("00-") && text.length !== 55)) return undefined;
  const span: SpanContext = {
    traceId: match[1]!,
    spanId: match[2]!,
    traceFlags: Number.parseInt(match[3]!, 16) & 1,
    isRemote: true,
  };
  if (!isSpanContextValid(span)) return undefined;
  return state === undefined ? span : { ...span, traceState: createTraceState(state) };
}

/** The caller's span as an OpenTelemetry context; an empty context when there is none, or none that can be read. */
export function contextFromMetadata(metadata: Metadata): Context {
  const state = metadata.get(TRACESTATE_KEY);
  const keptState = state !== undefined && state.length <= MAX_TRACESTATE_LENGTH ? state : undefined;
  const span = parseTraceparent(metadata.get(TRACEPARENT_KEY) ?? "", keptState);
  return span === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, span);
}

/**
 * Writes the span of `context` into outgoing metadata. Without a tracing SDK that is the caller's own span, so a trace
 * passes through this process unbroken.
 */
export function injectContext(context: Context, metadata: Metadata): void {
  const span = trace.getSpanContext(context);
  if (span === undefined || !isSpanContextValid(span)) return;
  const flags = (span.traceFlags & 0xff).toString(16).padStart(2, "0");
  metadata.set(TRACEPARENT_KEY, `00-${span.traceId}-${span.spanId}-${flags}`);
  const state = span.traceState?.serialize();
  if (state) metadata.set(TRACESTATE_KEY, state);
}

/** The trace the context belongs to, for logs. */
export function traceIdOf(context: Context): string | undefined {
  return trace.getSpanContext(context)?.traceId;
}
