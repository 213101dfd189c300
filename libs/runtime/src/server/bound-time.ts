import { abortErrorFromSignal, DomainError, isDomainError } from "@parfocal/errors";
import type { CallContext, MethodDescriptor, ServerMiddleware } from "nice-grpc-common";
import { createSlots } from "../memory/slots.ts";
import type { LimitsByMethod } from "./admit.ts";
import type { CallScope } from "./call-scope.ts";
import { isAbort } from "./recover.ts";

/** Longest wait of a Node timer, ms; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** gRPC ends a call by its own timer a moment before or after ours: an abort this close to the deadline is the deadline. */
const TIMER_SLACK_MS = 5;

/** What a deadline may be above the bound: gRPC's C core, which Python has, sends steps of up to 0.3 % and rounds up. */
const ROUNDED_UP = 1.01;

/** Options of {@link createBoundTime}. */
export interface BoundTimeOptions {
  /** Deadline of unary calls without one, ms. */
  readonly defaultDeadlineMs: number;
  /** Longest deadline that a unary call may ask for, ms. */
  readonly maxDeadlineMs: number;
  readonly limits: LimitsByMethod;
  /** Fires when the server begins to stop. */
  readonly draining: AbortSignal;
  /** Fires when calls that still run must end; its reason is what they are told. */
  readonly ending: AbortSignal;
}

/**
 * Gives every call one signal that fires on cancel, deadline and the end of the drain, with a DomainError as reason.
 *
 * A unary call without a deadline gets the default one; a unary call that asks for more than the longest is refused with
 * INVALID_ARGUMENT naming the bound, because a silently shorter deadline would look like a slow server. Streams may run
 * as long as their caller waits.
 *
 * The call's slot is free only when its handler has ended, so handlers must honour the signal.
 */
export function createBoundTime(
  options: BoundTimeOptions,
): ServerMiddleware<Pick<CallScope, "deadlineMs" | "draining">, Pick<CallScope, "origin">> {
  const { ending } = options;
  const running = createSlots<AbortController>();
  ending.addEventListener("abort", () => {
    for (const controller of running.values()) controller.abort(ending.reason);
  });
  return async function* boundTime(call, context) {
    const deadlineMs = chooseDeadline(options, call.method, context.origin.deadlineMs);
    const { controller, signal, release } = watch(context, deadlineMs);
    const place = running.add(controller);
    if (ending.aborted) controller.abort(ending.reason);
    try {
      return yield* call.next(call.request, { ...context, signal, deadlineMs, draining: options.draining });
    } catch (error) {
      throw isAbort(error) && signal.aborted ? abortErrorFromSignal(signal) : error;
    } finally {
      running.remove(place);
      release();
    }
  };
}

function chooseDeadline(
  options: BoundTimeOptions,
  method: MethodDescriptor,
  asked: number | undefined,
): number | undefined {
  if (method.requestStream || method.responseStream) return asked;
  const own = options.limits[method.path.slice(1)];
  const nowMs = Date.now();
  if (asked === undefined) return nowMs + (own?.defaultDeadlineMs ?? options.defaultDeadlineMs);
  const boundMs = own?.maxDeadlineMs ?? options.maxDeadlineMs;
  if (asked - nowMs <= boundMs * ROUNDED_UP) return asked;
  const value = Math.round(asked - nowMs);
  throw new DomainError("INVALID_ARGUMENT", `grpc-timeout: a deadline ${value} ms away, the bound is ${boundMs} ms`, {
    details: { field: "grpc-timeout", value: String(value), bound: String(boundMs), unit: "ms" },
  });
}

/** A signal of the caller's cancel and of the deadline, and what fires it for other reasons. */
function watch(context: CallContext, deadlineMs = Number.POSITIVE_INFINITY) {
  const controller = new AbortController();
  const pass = () => {
    const isLate = Date.now() >= deadlineMs - TIMER_SLACK_MS;
    controller.abort(isLate ? late() : reasonOf(context.signal));
  };
  const leftMs = deadlineMs - Date.now();
  const expire = () => controller.abort(late());
  const timer = leftMs > 0 && leftMs < MAX_TIMER_MS ? setTimeout(expire, leftMs) : undefined;
  if (leftMs <= 0) expire();
  if (context.signal.aborted) pass();
  else context.signal.addEventListener("abort", pass, { once: true });
  const release = () => {
    clearTimeout(timer);
    context.signal.removeEventListener("abort", pass);
  };
  return { controller, signal: controller.signal, release };
}

/** A line's signal says itself why its call must end; gRPC's says so of a cancel alone. */
function reasonOf({ reason }: AbortSignal): DomainError {
  return isDomainError(reason) ? reason : new DomainError("CANCELLED", "the caller cancelled the call");
}

function late(): DomainError {
  return new DomainError("DEADLINE_EXCEEDED", "the deadline passed before the call was done");
}
