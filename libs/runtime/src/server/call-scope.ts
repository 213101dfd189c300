import type { Context } from "@opentelemetry/api";
import type { CallContext } from "nice-grpc-common";
import type { Logger } from "../telemetry/logger.ts";
import type { Principal } from "./authorizer.ts";
import type { CallOrigin } from "./call-origins.ts";

/** What a call was about, for its audit record; filled in on the way. */
export interface CallFacts {
  principal?: Principal;
  /** Id of the first project that the request names. */
  project?: string | undefined;
  /** Name of the operation that the request names or the answer gives. */
  operation?: string | undefined;
}

/** What the chain before a handler found out about a call. */
export interface CallScope {
  /** What gRPC knows of the call. */
  readonly origin: CallOrigin;
  readonly facts: CallFacts;
  /** The caller's `x-request-id`, or one made here; the answer's header repeats it. */
  readonly requestId: string;
  /** OpenTelemetry context with the call's span: parent of spans the handler starts. */
  readonly otelContext: Context;
  /** Who calls. */
  readonly principal: Principal;
  /** When the caller stops waiting, ms since the epoch; absent on streams without a deadline. */
  readonly deadlineMs: number | undefined;
  /**
   * Fires when the process begins to stop, `drainMs` before the call's `signal` does: long streams checkpoint and end.
   */
  readonly draining: AbortSignal;
  /** Log whose lines carry the call's method, request and trace. */
  readonly log: Logger;
}

/** What a handler gets beside the request. `signal` fires on cancel, deadline and shutdown, with a DomainError as reason. */
export type HandlerContext = CallContext & CallScope;
