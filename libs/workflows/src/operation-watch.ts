import { abortErrorFromSignal } from "@parfocal/errors";
import type { OperationRecord } from "./operation-record.ts";
import { isDone } from "./stored-state.ts";
import type { OperationState } from "./workflow.ts";

/** Where a watch begins and what ends it early. */
export interface WatchOptions {
  /** States up to this sequence are not given, except the done one. */
  readonly afterSequence: number;
  readonly signal: AbortSignal;
  /** Throws once the driver has stopped. */
  assertOpen(): void;
}

/**
 * The states of an operation as they come, to the done one. It looks at the state when its reader asks: a slow reader
 * misses what lay between, and nothing is kept for it.
 *
 * @throws {DomainError} `CANCELLED` or `DEADLINE_EXCEEDED` when the signal fires; `UNREACHABLE` when the driver stops.
 */
export async function* watchRecord(
  record: Pick<OperationRecord, "state" | "events">,
  options: WatchOptions,
): AsyncGenerator<OperationState, void> {
  let seen = options.afterSequence;
  for (;;) {
    if (options.signal.aborted) throw abortErrorFromSignal(options.signal);
    const { state } = record;
    if (isDone(state)) {
      yield state;
      return;
    }
    options.assertOpen();
    if (state.sequence > seen) {
      seen = state.sequence;
      yield state;
    } else {
      await record.events.next(options.signal);
    }
  }
}
