/**
 * @file The deterministic half of the driver: bundled and run inside Temporal's sandbox, replayed from its history. It decides
 * what runs next and keeps what came of it; it never sees an input or a result.
 *
 * Its commands are part of running histories. Change their order only behind `patched` of the SDK.
 */
import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  sleep,
  workflowInfo,
} from "@temporalio/workflow";
import { isTriedAgain, retryPauseMs } from "../retry-rule.ts";
import type {
  OperationActivities,
  OperationExecution,
  OperationInput,
  OperationResume,
  OperationTimes,
  RecordedFailure,
  StepEnd,
} from "./operation-protocol.ts";

/** Steps of one operation that are under way at once; a Temporal server refuses more than 2 000. */
const MAX_RUNNING = 500;

/** A shorter pause is none: the server's timers are a second late. */
const LEAST_PAUSE_MS = 10;

/** Without end: what fails here is a store out of reach, and an operation outlives that. */
const PATIENT = { initialInterval: 200, backoffCoefficient: 2, maximumInterval: 10_000 } as const;

const { takeTurn, publishOutcome } = proxyLocalActivities<OperationActivities>({
  startToCloseTimeout: 600_000,
  retry: PATIENT,
});

/** A step that was asked for, and the turn in which it was. */
type AskedStep = OperationResume["waiting"][number];

/** What changes while an operation runs. */
interface Board {
  /** The turn to take next; the last one, once the workflow function has ended. */
  turn: number;
  nRunning: number;
  readonly ends: StepEnd[];
  readonly waiting: AskedStep[];
}

/** Runs one operation to its outcome. */
export async function runOperation(input: OperationInput): Promise<void> {
  const { project, id, resume } = input;
  const execution = { project, id, executionId: resume?.executionId ?? workflowInfo().firstExecutionRunId };
  const board: Board = {
    turn: resume?.turn ?? 0,
    nRunning: 0,
    ends: [...(resume?.ends ?? [])],
    waiting: [...(resume?.waiting ?? [])],
  };
  const steps = new CancellationScope();
  let isCancelled = false;
  try {
    await steps.run(() => takeTurns(input, execution, board));
  } catch (error) {
    if (!isCancellation(error)) throw error;
    isCancelled = true;
  }
  await CancellationScope.nonCancellable(async () => {
    // The first failure ends the siblings too: nothing of an operation may still run when its outcome is published.
    steps.cancel();
    await condition(() => board.nRunning === 0, input.times.cancelGraceMs);
    await publishOutcome({ ...execution, turn: board.turn, isCancelled, endTimeMs: Date.now() });
  });
}

/** Tells the workflow function the ends of its steps and begins those that it asks for, until it has ended. */
async function takeTurns(input: OperationInput, execution: OperationExecution, board: Board): Promise<void> {
  for (;;) {
    if (board.turn === 0 || board.ends.length > 0) {
      const { turn } = board;
      const { wanted, hasEnded } = await takeTurn({ ...execution, turn, ends: board.ends.splice(0) });
      if (hasEnded) return;
      board.waiting.push(...wanted.map((step) => ({ step, turn })));
      board.turn++;
    }
    if (workflowInfo().continueAsNewSuggested) await continueOnNewHistory(input, execution, board);
    beginWaiting(input.times, execution, board);
    await condition(() => board.ends.length > 0);
  }
}

/** A history has a bound, an operation has none: what is known goes over to an execution with an empty history. */
async function continueOnNewHistory(
  input: OperationInput,
  { executionId }: OperationExecution,
  board: Board,
): Promise<void> {
  await condition(() => board.nRunning === 0);
  const { turn, ends, waiting } = board;
  await continueAsNew<typeof runOperation>({ ...input, resume: { executionId, turn, ends, waiting } });
}

function beginWaiting(times: OperationTimes, execution: OperationExecution, board: Board): void {
  while (board.nRunning < MAX_RUNNING) {
    const next = board.waiting.shift();
    if (next === undefined) return;
    board.nRunning++;
    void runToEnd(times, execution, next).then((end) => {
      board.nRunning--;
      if (end !== undefined) board.ends.push(end);
    });
  }
}

/**
 * Tries a step until it has ended; undefined when it was cancelled. Never rejects.
 *
 * The tries are counted here and not by the server's retry policy: that keeps only the last failure, and its rule cannot say
 * that memory is short only once. The policy is left what it is best at: to run a try again whose worker died.
 */
async function runToEnd(
  times: OperationTimes,
  execution: OperationExecution,
  { step, turn }: AskedStep,
): Promise<StepEnd | undefined> {
  const retriedAfter: RecordedFailure[] = [];
  const { runStep } = proxyActivities<OperationActivities>({
    startToCloseTimeout: "3650 days",
    heartbeatTimeout: times.heartbeatTimeoutMs,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: PATIENT,
    summary: step.name,
  });
  for (let attempt = 1; ; attempt++) {
    try {
      const causes = retriedAfter.map(({ code, message }) => ({ code, message }));
      const key = await runStep({ ...execution, turn, step, attempt, retriedAfter: causes });
      return { ...step, key };
    } catch (error) {
      if (isCancellation(error)) return undefined;
      const failure = failureFromActivity(error);
      const { maxAttempts } = step;
      if (!isTriedAgain({ attempt, maxAttempts, code: failure.code, earlier: retriedAfter }))
        return { ...step, failure };
      retriedAfter.push(failure);
    }
    const pauseMs = retryPauseMs(times, attempt, Math.random());
    if (pauseMs < LEAST_PAUSE_MS) continue;
    try {
      await sleep(pauseMs);
    } catch {
      return undefined; // Only a cancellation ends a timer.
    }
  }
}

/** The activity throws its failures as details of an application failure, with the code as its type. */
function failureFromActivity(error: unknown): RecordedFailure {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  const [failure] = cause instanceof ApplicationFailure ? (cause.details ?? []) : [];
  if (failure !== undefined && failure !== null) return failure as RecordedFailure;
  return { code: "INTERNAL", message: "a step ended in Temporal without a result", details: {} };
}
