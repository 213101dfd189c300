import { context as activeContext, trace } from "@opentelemetry/api";
import type { ServerMiddleware } from "nice-grpc-common";
import { OPERATION_KEY, operationFromHeader, runInOperation } from "../telemetry/operation-context.ts";
import type { CallScope } from "./call-scope.ts";

/**
 * Makes the call's span and its operation those of whatever the handler does, so that spans of stores and engines hang
 * below it and lines of logs carry the operation. Where there is neither, it is not in the way.
 */
export function createActivate(): ServerMiddleware<object, Pick<CallScope, "otelContext">> {
  return async function* activate(call, context) {
    const operation = operationFromHeader(context.metadata.get(OPERATION_KEY));
    const isTraced = trace.getSpan(context.otelContext)?.isRecording() === true;
    if (operation === undefined && !isTraced) return yield* call.next(call.request, context);
    const within = <T>(work: () => T): T =>
      runInOperation(operation, () => activeContext.with(context.otelContext, work));
    const steps = call.next(call.request, context);
    try {
      for (;;) {
        const step = await within(() => steps.next());
        if (step.done === true) return step.value;
        // The type says that unary calls yield nothing and streams give nothing back, which this loop does not change.
        yield step.value as never;
      }
    } finally {
      await within(() => steps.return(undefined as never));
    }
  };
}
