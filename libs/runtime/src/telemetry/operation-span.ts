import { context as activeContext, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { runInOperation } from "./operation-context.ts";
import { codeOf } from "./stage-call-metrics.ts";

const tracer = trace.getTracer("parfocal");

/**
 * Does the work of an operation in a trace of its own, under its id: lines of logs and calls to stages made within carry
 * it. `verb`: the operation's kind.
 */
export function inOperationSpan<T>(verb: string, operation: string, work: () => Promise<T>): Promise<T> {
  return runInOperation(operation, async () => {
    const attributes = { "parfocal.operation": operation, "parfocal.verb": verb };
    const span = tracer.startSpan(`operation ${verb}`, { kind: SpanKind.INTERNAL, attributes }, ROOT_CONTEXT);
    try {
      return await activeContext.with(trace.setSpan(ROOT_CONTEXT, span), work);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      span.setAttribute("parfocal.code", codeOf(error));
      throw error;
    } finally {
      span.end();
    }
  });
}
