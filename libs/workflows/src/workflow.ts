/** Values that survive a journal: exactly what JSON can carry. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** How far an operation is. */
export interface Progress {
  /** Short phrase for people, without identifiers of patients or slides: `training`, `epoch 3 of 40`. */
  readonly phase: string;
  /** 0 to 1, absent while unknown. */
  readonly fraction?: number;
  /** Estimated seconds to the end, absent while unknown. */
  readonly etaS?: number;
  /** Named numbers (loss, auroc, done, failed). */
  readonly counters?: Readonly<Record<string, number>>;
}

/** What a step gets. */
export interface StepContext {
  readonly signal: AbortSignal;
  /** 1 on the first try. */
  readonly attempt: number;
  /** Reports progress to watchers; never waits. */
  report(progress: Progress): void;
}

/** Options of a step. */
export interface StepOptions {
  /** Tries before the step's failure ends the workflow; default 3. Only retryable failures are tried again. */
  readonly maxAttempts?: number;
}

/** What a workflow gets. It must be deterministic outside its steps: everything that can fail or vary is a step. */
export interface WorkflowContext {
  /** Stable across replays; derives keys of temporary objects. */
  readonly operationId: string;
  readonly project: string;
  readonly signal: AbortSignal;
  /**
   * Runs `body` once and journals its result: a replay after a crash returns the journaled value without running it.
   * A body that was cut off runs again, so it must be idempotent (derive output keys from input digests).
   */
  step<T extends Json>(name: string, body: (step: StepContext) => Promise<T>, options?: StepOptions): Promise<T>;
}

/** A long job as a plain async function over steps. */
export type Workflow<I extends Json, O extends Json> = (context: WorkflowContext, input: I) => Promise<O>;

/** The workflows a driver can run, by kind. */
export type WorkflowRegistry = Readonly<Record<string, Workflow<never, Json>>>;

/** The state of an operation as any client sees it. */
export interface OperationState {
  /** `projects/{project}/operations/{id}`. */
  readonly name: string;
  readonly kind: string;
  /** What it makes or works on, as {@link StartRequest.target} said; absent when it said nothing. */
  readonly target?: string;
  readonly createTimeMs: number;
  readonly endTimeMs?: number;
  readonly isCancelRequested: boolean;
  /** Latest progress. */
  readonly progress: Progress;
  /** Grows by one with every event; give it back to a watch to continue after it. */
  readonly sequence: number;
  readonly outcome:
    | { readonly kind: "running" }
    | { readonly kind: "succeeded"; readonly response: Json }
    | {
        readonly kind: "failed";
        readonly code: string;
        readonly message: string;
        /** Facts for programs; absent when there are none. */
        readonly details?: Readonly<Record<string, string>>;
      };
}

/** A request to start a workflow. */
export interface StartRequest {
  readonly project: string;
  readonly kind: string;
  readonly input: Json;
  /** Client-chosen id (UUID): the same id and input give the same operation, another input `CONFLICT`. */
  readonly requestId?: string;
  /** Name of what the operation of this id will make or works on, for those who look at it. No part of the input. */
  readonly target?: (operationId: string) => string;
}

/** Runs workflows durably. */
export interface WorkflowDriver {
  start(request: StartRequest): Promise<OperationState>;
  /**
   * The operation that an earlier `start` of the same request id made; undefined when none did. For whoever checks a request first:
   * what it named when it came may be gone by now. Refuses what `start` refuses.
   */
  join(request: StartRequest): Promise<OperationState | undefined>;
  get(name: string): Promise<OperationState>;
  list(
    project: string,
    page: { readonly pageSize: number; readonly pageToken?: string; readonly kind?: string; readonly isDone?: boolean },
  ): Promise<{
    readonly operations: readonly OperationState[];
    readonly nextPageToken?: string;
  }>;
  /** Asks the workflow to stop; its operation ends with code `CANCELLED`. Best effort; done operations stay as they are. */
  cancel(name: string): Promise<void>;
  /** Forgets a done operation and its temporary objects; `PRECONDITION_FAILED` while it runs. */
  delete(name: string): Promise<void>;
  /** Deletes operations that ended more than `olderThanMs` ago; gives their number. */
  expireOperations(options: { readonly olderThanMs: number }): Promise<number>;
  /** Every state from `afterSequence` on, ending with the done one. */
  watch(name: string, afterSequence: number, signal: AbortSignal): AsyncIterable<OperationState>;
  /** Stops taking work and leaves running operations resumable. */
  close(): Promise<void>;
}
