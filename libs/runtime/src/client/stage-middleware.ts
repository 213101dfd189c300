import { setTimeout as sleep } from "node:timers/promises";
import { context as activeContext, type Context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { abortErrorFromSignal, assertNotAborted, DomainError, isDomainError } from "@parfocal/errors";
import {
  type CallOptions,
  type ClientMiddleware,
  type ClientMiddlewareCall,
  Metadata,
  type MethodDescriptor,
} from "nice-grpc-common";
import { domainErrorFromRpc } from "../errors/domain-error-from-rpc.ts";
import type { HandlerContext } from "../server/call-scope.ts";
import { REQUEST_ID_KEY } from "../server/identify.ts";
import { currentOperation, OPERATION_KEY } from "../telemetry/operation-context.ts";
import type { StageCallMetrics } from "../telemetry/stage-call-metrics.ts";
import { injectContext } from "../telemetry/trace-context.ts";
import { grpcTimeout, linkSignals } from "./call-deadline.ts";
import type { LineCall, LineCalls } from "./line-calls.ts";
import type { RetryPolicy } from "./retry.ts";

/** What of a handler's context its own calls carry on. */
export type ParentCall = Pick<HandlerContext, "requestId" | "otelContext" | "deadlineMs" | "signal">;

/** Options of every call of a stage client, beside gRPC's `signal` and `metadata`. */
export interface StageCallOptions {
  /** The call being handled: its signal, what is left of its deadline, its request id and its trace go with this one. */
  readonly parent?: ParentCall;
  /** Longest wait for this call, ms. */
  readonly timeoutMs?: number;
  /** Whether sending it twice does no more than sending it once. */
  readonly isIdempotent?: boolean;
}

/** Options of {@link createStageMiddleware}. */
export interface StageMiddlewareOptions {
  readonly defaultTimeoutMs: number;
  readonly marginMs: number;
  readonly retry: RetryPolicy;
  /** Names of methods that are idempotent, beside those whose contract says so. */
  readonly idempotentMethods: ReadonlySet<string>;
  /** Gives the token that every call shows; absent: none. */
  readonly bearerToken?: (() => string) | undefined;
  /** Where calls are timed. */
  readonly metrics?: StageCallMetrics | undefined;
  /** Makes calls that come often over lines. */
  readonly lines?: LineCalls | undefined;
}

const tracer = trace.getTracer("parfocal");

/** Deadline, signal, headers, span, retries and errors of every call of a stage client. */
export function createStageMiddleware(options: StageMiddlewareOptions): ClientMiddleware<StageCallOptions> {
  return async function* stage(call, callOptions) {
    const { parent } = callOptions;
    const deadlineMs = chooseDeadline(options, call.method, callOptions);
    const link = linkSignals([callOptions.signal, parent?.signal], deadlineMs);
    const span = startSpan(call.method, parent?.otelContext);
    const end = options.metrics?.callStarted(call.method);
    let failure: unknown;
    const next = () => {
      const attempt = attemptOptions(callOptions, link.signal, deadlineMs, span.context);
      if (options.bearerToken !== undefined) {
        attempt.options.metadata.set("authorization", `Bearer ${options.bearerToken()}`);
      }
      return attempt;
    };
    try {
      for (let n = 1; ; n += 1) {
        assertNotAborted(link.signal);
        const attempt = next();
        try {
          const lines = mayRepeat(options, call.method, callOptions) ? options.lines : undefined;
          const response = yield* send(lines, call, { ...attempt.options, deadlineMs });
          options.retry.succeeded();
          return response;
        } catch (error) {
          await retryOrThrow(options, call.method, callOptions, {
            error: attempt.errorOf(error),
            n,
            deadlineMs,
            signal: link.signal,
          });
        }
      }
    } catch (error) {
      failure = error;
      span.span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      end?.(failure);
      span.span.end();
      link.release();
    }
  };
}

/** Over a line when there is one to take it, else as gRPC sends every call. */
async function* send<Request, Response>(
  lines: LineCalls | undefined,
  call: ClientMiddlewareCall<Request, Response>,
  { deadlineMs, ...options }: ReturnType<typeof attemptOptions>["options"] & Pick<LineCall, "deadlineMs">,
) {
  const { metadata, signal } = options;
  const line = { path: call.method.path, request: call.request, metadata, deadlineMs, signal };
  const response = await lines?.call<Response>(line);
  return response ?? (yield* call.next(call.request, options));
}

/** The parent's deadline less the margin, or the call's own timeout, whichever is sooner; streams may have none. */
function chooseDeadline(
  options: StageMiddlewareOptions,
  method: MethodDescriptor,
  call: StageCallOptions,
): number | undefined {
  const isStream = method.requestStream || method.responseStream;
  const timeoutMs = call.timeoutMs ?? (isStream ? undefined : options.defaultTimeoutMs);
  const own = timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs;
  const inherited =
    call.parent?.deadlineMs === undefined ? Number.POSITIVE_INFINITY : call.parent.deadlineMs - options.marginMs;
  const deadlineMs = Math.min(own, inherited);
  return Number.isFinite(deadlineMs) ? deadlineMs : undefined;
}

function startSpan(method: MethodDescriptor, parent: Context = activeContext.active()) {
  const [service = "", name = ""] = method.path.slice(1).split("/");
  const attributes = { "rpc.system": "grpc", "rpc.service": service, "rpc.method": name };
  const span = tracer.startSpan(method.path.slice(1), { kind: SpanKind.CLIENT, attributes }, parent);
  return { span, context: trace.setSpan(parent, span) };
}

/** gRPC's options of one attempt, and the domain error of what it throws. */
function attemptOptions(
  { parent, isIdempotent: _, timeoutMs: __, ...options }: CallOptions & StageCallOptions,
  signal: AbortSignal,
  deadlineMs: number | undefined,
  otelContext: Context,
) {
  const metadata = Metadata(options.metadata);
  if (parent !== undefined) metadata.set(REQUEST_ID_KEY, parent.requestId);
  // nice-grpc knows no deadlines: the header tells the server, the signal ends the wait here.
  if (deadlineMs !== undefined) metadata.set("grpc-timeout", grpcTimeout(deadlineMs - Date.now()));
  const operation = currentOperation();
  if (operation !== undefined) metadata.set(OPERATION_KEY, operation);
  injectContext(otelContext, metadata);
  let trailer: Metadata | undefined;
  const onTrailer = (received: Metadata) => {
    trailer = received;
    options.onTrailer?.(received);
  };
  const errorOf = (error: unknown) =>
    signal.aborted ? abortErrorFromSignal(signal) : notCancelledHere(domainErrorFromRpc(error, trailer));
  return { options: { ...options, metadata, signal, onTrailer } satisfies CallOptions, errorOf };
}

/** What ends a call that nobody here cancelled is a stage that went away, whatever it said last. */
function notCancelledHere(error: unknown): unknown {
  if (!isDomainError(error, "CANCELLED")) return error;
  return new DomainError("UNREACHABLE", "the stage ended a call that nobody cancelled", { cause: error });
}

/** Whether sending a call twice does no more than sending it once: only such a one is tried again, or goes over a line that may end. */
function mayRepeat(
  { idempotentMethods }: StageMiddlewareOptions,
  method: MethodDescriptor,
  { isIdempotent }: StageCallOptions,
): boolean {
  if (method.requestStream || method.responseStream) return false;
  const name = method.path.slice(method.path.lastIndexOf("/") + 1);
  return isIdempotent ?? (method.options.idempotencyLevel !== undefined || idempotentMethods.has(name));
}

interface FailedAttempt {
  readonly error: unknown;
  /** Which attempt failed, from 1. */
  readonly n: number;
  readonly deadlineMs: number | undefined;
  readonly signal: AbortSignal;
}

/** Waits until the next attempt may start, or throws the error when there must be none. */
async function retryOrThrow(
  options: StageMiddlewareOptions,
  method: MethodDescriptor,
  call: StageCallOptions,
  { error, n, deadlineMs, signal }: FailedAttempt,
): Promise<void> {
  const delayMs = mayRepeat(options, method, call) ? options.retry.delayAfter(error, n) : undefined;
  if (delayMs === undefined || Date.now() + delayMs >= (deadlineMs ?? Number.POSITIVE_INFINITY)) throw error;
  await sleep(delayMs, undefined, { signal }).catch(() => assertNotAborted(signal));
}
