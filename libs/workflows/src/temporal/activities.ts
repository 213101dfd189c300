import { DomainError, isDomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { ApplicationFailure, CancelledFailure, Context } from "@temporalio/activity";
import { jsonCopy } from "../canonical-json.ts";
import type { Clock } from "../clock.ts";
import { isTransient } from "../commit.ts";
import { type Failure, failedOutcome, failureFromUnknown, type WorkflowLogger } from "../failure.ts";
import { isDone, unlessCorrupt } from "../stored-state.ts";
import type { Json, OperationState } from "../workflow.ts";
import type { WorkflowEnd } from "../workflow-run.ts";
import type { OperationActivities, OperationExecution, PublishTask, StepTask, TurnTask } from "./operation-protocol.ts";
import { createProgressReporter } from "./progress-reporter.ts";
import type { RunKeeper } from "./run-keeper.ts";
import type { SharedState } from "./shared-state.ts";
import { createTurnLog } from "./turn-log.ts";

/** What the activities of a worker work with; times in ms. */
export interface ActivityScope {
  readonly store: ObjectStore;
  readonly states: SharedState;
  readonly runs: RunKeeper;
  readonly clock: Clock;
  readonly logger: WorkflowLogger;
  readonly random: () => number;
  readonly randomHex: (nBytes: number) => string;
  readonly progressIntervalMs: number;
  readonly retryBaseDelayMs: number;
  readonly cancelGraceMs: number;
  /** Pause between two heartbeats: within it a cancel request reaches the body of a step. */
  readonly heartbeatIntervalMs: number;
}

/** Longest pause between two tries to store a result: a store that is back is noticed within this, ms. */
const MAX_PAUSE_MS = 10_000;

const CANCELLED = {
  kind: "failed",
  code: "CANCELLED",
  message: "the operation was cancelled",
} as const satisfies OperationState["outcome"];

const STOPPING = "this worker is stopping";

/** The half of the driver that does the work. */
export function createActivities(scope: ActivityScope): OperationActivities {
  return {
    takeTurn: (task) => takeTurn(scope, task),
    runStep: (task) => runStep(scope, task),
    publishOutcome: (task) => publishOutcome(scope, task),
  };
}

async function takeTurn({ store, states, runs }: ActivityScope, task: TurnTask) {
  if (task.turn === 0 && (await isDoneAtStart(states, task))) return { wanted: [], hasEnded: true };
  try {
    if (task.turn > 0) await createTurnLog(store, task).write(task.turn, task.ends);
    const run = await runs.at(task, task.turn);
    return { wanted: run.askedIn(task.turn), hasEnded: run.end !== undefined };
  } catch (error) {
    if (isTransient(error) || !isDomainError(error)) throw error;
    return { wanted: [], hasEnded: true }; // Such as a journal that lost an object; the outcome will say so.
  }
}

/**
 * Shows that the operation has begun. One that was done already is left as it is: its execution began twice. A state that cannot be
 * read stays until the outcome takes its place.
 */
async function isDoneAtStart(states: SharedState, task: OperationExecution): Promise<boolean> {
  try {
    const state = await unlessCorrupt(() =>
      states.change(task, ({ progress }) =>
        progress.phase === "queued" ? { progress: { ...progress, phase: "started" } } : {},
      ),
    );
    return state !== undefined && isDone(state);
  } catch (error) {
    if (isDomainError(error, "NOT_FOUND")) return true;
    throw error;
  }
}

/** Runs one try of a step in this process and stores its result; gives the key. */
async function runStep(scope: ActivityScope, task: StepTask): Promise<string> {
  const activity = Context.current();
  const { cancellationSignal: signal } = activity;
  const reporter = createProgressReporter(scope, task);
  const beating = setInterval(() => activity.heartbeat(reporter.latest), scope.heartbeatIntervalMs);
  const unlink = abortRunOnCancel(scope, task, signal);
  try {
    const run = await scope.runs.at(task, task.turn);
    const { body } = run.waitsFor(task.step.name);
    const running = body({ signal, attempt: task.attempt, report: (progress) => reporter.report(progress) });
    const value = await orAbandoned(scope, running, signal);
    const result = jsonCopy(value, `the result of step "${task.step.name}"`);
    return await storeResult(scope, task, result, signal);
  } catch (error) {
    throw failureForTemporal(scope, error, signal);
  } finally {
    await reporter.finish();
    clearInterval(beating);
    unlink();
  }
}

/** A body that ignores its signal is left behind `cancelGraceMs` after it fired. */
async function orAbandoned<T>(scope: ActivityScope, work: Promise<T>, signal: AbortSignal): Promise<T> {
  const settled = new AbortController();
  const abandoned = new Promise<never>((_, reject) => {
    const wait = (): void => {
      const giveUp = (): void => reject(new DomainError("CANCELLED", "a step did not end in time"));
      scope.clock.delay(scope.cancelGraceMs, settled.signal).then(giveUp, () => undefined);
    };
    if (signal.aborted) wait();
    else signal.addEventListener("abort", wait, { once: true });
  });
  try {
    return await Promise.race([work, abandoned]);
  } finally {
    settled.abort();
  }
}

/** When the operation is cancelled or this worker stops, the signal of its function fires too. */
function abortRunOnCancel({ runs }: ActivityScope, task: StepTask, signal: AbortSignal): () => void {
  const follow = (): void => {
    const reason = reasonOf(signal);
    if (reason === "CANCELLED") runs.find(task)?.abort(new DomainError("CANCELLED", CANCELLED.message));
    if (reason === "WORKER_SHUTDOWN") runs.find(task)?.abort(new DomainError("UNREACHABLE", STOPPING));
  };
  signal.addEventListener("abort", follow, { once: true });
  return () => signal.removeEventListener("abort", follow);
}

/** What a step has computed must not be lost because it could not be stored at once. */
async function storeResult(scope: ActivityScope, task: StepTask, value: Json, signal: AbortSignal): Promise<string> {
  const { name } = task.step;
  const entry = { name, retriedAfter: task.retriedAfter, result: { kind: "succeeded", value } } as const;
  const nonce = scope.randomHex(8);
  for (let attempt = 1; ; attempt++) {
    try {
      return await createTurnLog(scope.store, task).writeResult(task.step, nonce, entry);
    } catch (error) {
      if (!isTransient(error)) throw error;
      scope.logger.warn({ attempt, err: error }, "the result of a step could not be stored; trying again");
      const pauseMs = Math.min(MAX_PAUSE_MS, scope.retryBaseDelayMs * 2 ** Math.min(attempt, 10));
      await scope.clock.delay(scope.random() * pauseMs, signal);
    }
  }
}

/** Why an activity is told to stop: `CANCELLED`, `WORKER_SHUTDOWN`, `TIMED_OUT` or `NOT_FOUND`. */
function reasonOf(signal: AbortSignal): string {
  return signal.reason instanceof CancelledFailure ? signal.reason.message : "";
}

/** A failure of the step ends the activity for good: what follows is decided by the operation, not by a retry policy. */
function failureForTemporal(scope: ActivityScope, error: unknown, signal: AbortSignal): Error {
  if (signal.aborted) {
    if (reasonOf(signal) === "CANCELLED") return new CancelledFailure("CANCELLED");
    // It was only taken from this worker, which is stopping or was silent for too long: another try has it by now or begins soon.
    return ApplicationFailure.retryable("a step was taken from this worker", reasonOf(signal));
  }
  const failure: Failure = failureFromUnknown(error, scope.logger, scope.randomHex);
  const { code, message, details } = failure;
  return ApplicationFailure.create({ message, type: code, details: [{ code, message, details }], nonRetryable: true });
}

async function publishOutcome(scope: ActivityScope, task: PublishTask): Promise<void> {
  const { states, runs } = scope;
  try {
    await states.finish(task, await outcomeToPublish(scope, task), task.endTimeMs);
  } catch (error) {
    if (!isDomainError(error, "NOT_FOUND")) throw error; // Deleted meanwhile: nobody waits for it.
  }
  runs.find(task)?.abort(new DomainError("CANCELLED", "the workflow has ended"));
  runs.forget(task);
}

/** The outcome that stands; without one, and also where the state cannot be read, what the cluster knows decides. */
async function outcomeToPublish(scope: ActivityScope, task: PublishTask): Promise<OperationState["outcome"]> {
  const state = await unlessCorrupt(() => scope.states.read(task));
  if (state !== undefined && isDone(state)) return state.outcome;
  if (task.isCancelled || state?.isCancelRequested === true) return CANCELLED;
  return await outcomeOf(scope, task);
}

async function outcomeOf(scope: ActivityScope, task: PublishTask): Promise<OperationState["outcome"]> {
  const end = await endOf(scope, task);
  if (end.kind === "rejected") return failed(scope, end.error);
  try {
    return { kind: "succeeded", response: jsonCopy(end.value, "the response of the workflow") };
  } catch (error) {
    return failed(scope, error);
  }
}

function failed(scope: ActivityScope, error: unknown): OperationState["outcome"] {
  return failedOutcome(error, scope.logger, scope.randomHex);
}

/** How the workflow function ended; what keeps it from being run is an end too. @throws while the store is out of reach. */
async function endOf({ runs }: ActivityScope, task: PublishTask): Promise<WorkflowEnd> {
  try {
    const { end } = await runs.at(task, task.turn);
    if (end !== undefined) return end;
    throw new DomainError("INTERNAL", "replay mismatch: the workflow has not ended this time");
  } catch (error) {
    if (isTransient(error)) throw error;
    return { kind: "rejected", error };
  }
}
