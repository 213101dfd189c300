/**
 * @file What the deterministic half of the driver (inside Temporal) and the half that does the work (activities) say to each
 * other. All of it is in a Temporal history: only names, keys and failures, never inputs or results.
 */
import type { DomainErrorCode } from "@parfocal/errors";

/** Kind of the one Temporal workflow that runs every operation. */
export const OPERATION_WORKFLOW = "runOperation";

/** Which operation, and which Temporal execution of it: results of an execution that was lost are not used by the next. */
export interface OperationExecution {
  readonly project: string;
  readonly id: string;
  /** Stays the same when the execution continues as new. */
  readonly executionId: string;
}

/** A step that the workflow function asked for. */
export interface WantedStep {
  readonly name: string;
  /** 1 for the first step asked for. */
  readonly ordinal: number;
  /** Whether no two steps had run at once until it was asked for. */
  readonly isSequential: boolean;
  readonly maxAttempts: number;
}

/** A failure as it stands in a history. */
export interface RecordedFailure {
  readonly code: DomainErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, string>>;
}

/** How a step ended: where its result lies, or why it failed for good. */
export type StepEnd = WantedStep & ({ readonly key: string } | { readonly failure: RecordedFailure });

/** Tells the workflow function the ends of steps. */
export interface TurnTask extends OperationExecution {
  /** 0 for the first, which begins the function; each later one continues where the one before stopped. */
  readonly turn: number;
  readonly ends: readonly StepEnd[];
}

/** What the function did with them. */
interface TurnResult {
  /** Steps that it asked for in this turn. */
  readonly wanted: readonly WantedStep[];
  /** Whether there is an outcome to publish. */
  readonly hasEnded: boolean;
}

/** One try of a step. */
export interface StepTask extends OperationExecution {
  /** The turn in which it was asked for. */
  readonly turn: number;
  readonly step: WantedStep;
  /** 1 for the first. */
  readonly attempt: number;
  /** Why each earlier try failed. */
  readonly retriedAfter: readonly { readonly code: string; readonly message: string }[];
}

/** Publishes the outcome of an operation. */
export interface PublishTask extends OperationExecution {
  /** The last turn. */
  readonly turn: number;
  readonly isCancelled: boolean;
  readonly endTimeMs: number;
}

/** The work behind a Temporal workflow of an operation. */
export interface OperationActivities {
  takeTurn(task: TurnTask): Promise<TurnResult>;
  /** Gives the key of the result. */
  runStep(task: StepTask): Promise<string>;
  publishOutcome(task: PublishTask): Promise<void>;
}

/** Settings that an operation keeps for life, ms. */
export interface OperationTimes {
  /** Silence after which the worker of a step counts as dead. */
  readonly heartbeatTimeoutMs: number;
  readonly cancelGraceMs: number;
  readonly retryBaseDelayMs: number;
  readonly retryMaxDelayMs: number;
}

/** What a Temporal workflow of an operation begins with. */
export interface OperationInput {
  readonly project: string;
  readonly id: string;
  readonly times: OperationTimes;
  /** Where an execution that grew too long left off; absent at the beginning. */
  readonly resume?: OperationResume;
}

/** State carried from an execution whose history grew too long into the next. */
export interface OperationResume {
  readonly executionId: string;
  readonly turn: number;
  readonly ends: readonly StepEnd[];
  /** Steps that were asked for and not begun, with the turn of each. */
  readonly waiting: readonly { readonly step: WantedStep; readonly turn: number }[];
}
