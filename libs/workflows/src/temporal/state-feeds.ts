import { type DomainError, isDomainError } from "@parfocal/errors";
import type { Clock } from "../clock.ts";
import { createEventSource, type EventSource } from "../event-source.ts";
import type { WorkflowLogger } from "../failure.ts";
import { refKey } from "../operation-index.ts";
import type { OperationRef } from "../operation-keys.ts";
import { isDone } from "../stored-state.ts";
import type { OperationState } from "../workflow.ts";
import type { SharedState } from "./shared-state.ts";

/** The state of one operation while somebody watches it. */
interface StateFeed {
  /** The latest state that was read. @throws {DomainError} `NOT_FOUND` once the operation was deleted. */
  readonly state: OperationState;
  readonly events: EventSource;
}

/** One reader of the store for all the watchers of an operation in this process. */
export interface StateFeeds {
  /** Feeds `use` until it returns. @throws {DomainError} `NOT_FOUND`. */
  open(ref: OperationRef): Promise<{ readonly feed: StateFeed; leave(): void }>;
  /** Lets every watcher look whether the driver has stopped. */
  wake(): void;
}

/** What feeds work with. */
interface FeedScope {
  readonly states: SharedState;
  readonly clock: Clock;
  readonly logger: WorkflowLogger;
  /** Pause between two looks at the store for what other processes wrote, ms. */
  readonly pollIntervalMs: number;
}

interface Cell {
  nWatchers: number;
  readonly events: EventSource;
  readonly left: AbortController;
  state: OperationState;
  /** Why there is no state any more. */
  gone: DomainError | undefined;
}

/** Feeds that read what this process wrote at once and what others wrote every `pollIntervalMs`. */
export function createStateFeeds(scope: FeedScope): StateFeeds {
  const cells = new Map<string, Cell>();
  return {
    async open(ref) {
      const state = await scope.states.read(ref);
      const key = refKey(ref);
      const cell = cells.get(key) ?? beginCell(scope, ref, state);
      cells.set(key, cell);
      if (state.sequence > cell.state.sequence) cell.state = state;
      cell.nWatchers++;
      const leave = (): void => {
        cell.nWatchers--;
        if (cell.nWatchers > 0) return;
        cell.left.abort();
        cells.delete(key);
      };
      return { feed: feedOf(cell), leave };
    },
    wake() {
      for (const { events } of cells.values()) events.wake();
    },
  };
}

function beginCell(scope: FeedScope, ref: OperationRef, state: OperationState): Cell {
  const cell: Cell = {
    nWatchers: 0,
    events: createEventSource(),
    left: new AbortController(),
    state,
    gone: undefined,
  };
  void follow(scope, ref, cell);
  return cell;
}

function feedOf(cell: Cell): StateFeed {
  return {
    get state() {
      if (cell.gone !== undefined) throw cell.gone;
      return cell.state;
    },
    events: cell.events,
  };
}

/** Never rejects: a store out of reach is asked again. */
async function follow(scope: FeedScope, ref: OperationRef, cell: Cell): Promise<void> {
  const { states, clock, logger, pollIntervalMs } = scope;
  const { signal } = cell.left;
  const changes = states.changes(ref);
  while (!signal.aborted && !isDone(cell.state) && cell.gone === undefined) {
    const poll = new AbortController();
    const either = AbortSignal.any([signal, poll.signal]);
    const pause = clock.delay(pollIntervalMs, either).catch(() => undefined);
    await Promise.race([changes.next(either), pause]);
    poll.abort();
    if (signal.aborted) return;
    try {
      cell.state = await states.read(ref);
    } catch (error) {
      if (isDomainError(error, "NOT_FOUND")) cell.gone = error;
      else logger.warn({ err: error }, "the state of a watched operation could not be read");
    }
    cell.events.wake();
  }
}
