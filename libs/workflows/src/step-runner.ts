import { abortErrorFromSignal } from "@parfocal/errors";
import { jsonCopy } from "./canonical-json.ts";
import type { DriverEnvironment } from "./driver-environment.ts";
import { errorFromFailure, type Failure, failureFromUnknown } from "./failure.ts";
import type { Journal, StepTicket } from "./journal.ts";
import type { JournalEntry } from "./journal-entry.ts";
import { DEFAULT_MAX_ATTEMPTS, isTriedAgain, retryPauseMs } from "./retry-rule.ts";
import type { Json, Progress, StepContext, StepOptions } from "./workflow.ts";

/** What the steps of one running operation share. */
export interface StepScope {
  readonly env: DriverEnvironment;
  readonly journal: Journal;
  /** Fires on cancel, on close and when the workflow has ended. */
  readonly signal: AbortSignal;
  /** Whether a result that comes after the signal still goes into the journal: on close yes, on cancel no. */
  keepsLateResults(): boolean;
  report(progress: Progress): void;
}

/** A step as the workflow wrote it. */
export interface StepRequest<T extends Json> {
  readonly name: string;
  readonly body: (step: StepContext) => Promise<T>;
  readonly options: StepOptions;
}

/**
 * Gives the journaled end of a step, or runs it and journals its end.
 *
 * @throws {DomainError} the step's own failure; `CANCELLED` when the signal has fired; `INTERNAL` for a broken replay.
 */
export async function runStep<T extends Json>(scope: StepScope, request: StepRequest<T>): Promise<T> {
  if (scope.signal.aborted) throw abortErrorFromSignal(scope.signal);
  const ticket = scope.journal.enter(request.name);
  try {
    const entry =
      ticket.kind === "known" ? await scope.journal.read(ticket, request.name) : await runNew(scope, ticket, request);
    if (scope.signal.aborted) throw abortErrorFromSignal(scope.signal);
    if (entry.result.kind === "failed") throw errorFromFailure(entry.result);
    return entry.result.value as T; // The journal gives back what this very step returned.
  } finally {
    scope.journal.leave();
  }
}

async function runNew<T extends Json>(
  scope: StepScope,
  ticket: StepTicket,
  request: StepRequest<T>,
): Promise<JournalEntry> {
  const entry = await runToEnd(scope, request);
  if (scope.signal.aborted && !scope.keepsLateResults()) throw abortErrorFromSignal(scope.signal);
  await scope.journal.write(ticket, entry);
  return entry;
}

async function runToEnd<T extends Json>(scope: StepScope, request: StepRequest<T>): Promise<JournalEntry> {
  const { env, signal, report } = scope;
  const { name, body, options } = request;
  const maxAttempts = options.maxAttempts ?? DEFAULT_MAX_ATTEMPTS;
  const failures: Failure[] = [];
  for (let attempt = 1; ; attempt++) {
    try {
      const value = jsonCopy(await body({ signal, attempt, report }), `the result of step "${name}"`);
      return {
        name,
        retriedAfter: failures.map(({ code, message }) => ({ code, message })),
        result: { kind: "succeeded", value },
      };
    } catch (error) {
      // What a body throws after the signal is about the signal, not about the work.
      if (signal.aborted) throw abortErrorFromSignal(signal);
      const failure = failureFromUnknown(error, env.logger, env.randomHex);
      if (!isTriedAgain({ attempt, maxAttempts, code: failure.code, earlier: failures })) {
        return {
          name,
          retriedAfter: failures.map(({ code, message }) => ({ code, message })),
          result: { kind: "failed", ...failure },
        };
      }
      failures.push(failure);
      env.logger.warn({ code: failure.code, attempt }, "a step failed and is tried again");
      await env.clock.delay(retryPauseMs(env, attempt, env.random()), signal);
    }
  }
}
