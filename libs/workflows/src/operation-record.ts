import type { DriverEnvironment } from "./driver-environment.ts";
import { createEventSource, type EventSource } from "./event-source.ts";
import { isLostRace } from "./json-object.ts";
import type { IndexEntry, OwnerId } from "./operation-keys.ts";
import { createStateWriter, fenceOnConflict, type StateWriter } from "./state-writer.ts";
import { type FoundState, isDone, queuedState, readStoredState, resumedState } from "./stored-state.ts";
import type { OperationState, Progress } from "./workflow.ts";

/** Of the reserved sequences, those kept for what is not progress (cancel request, outcome). */
const RESERVED_FOR_EVENTS = 10;

/** The state of one operation that is not done yet: in memory for watchers, in the store for the next process. */
export interface OperationRecord {
  readonly state: OperationState;
  readonly events: EventSource;
  /** The owner whose journal counts so far; undefined before the first claim. */
  readonly journalOwner: OwnerId | undefined;
  /** Takes the operation over for this owner. After it no earlier owner can write its state. */
  claim(): Promise<void>;
  /** Shows progress at once and stores it soon. */
  report(progress: Progress): void;
  /** Marks the cancel request; durable on return once the operation was claimed. */
  requestCancel(): Promise<void>;
  /** Publishes the outcome: once, in the store before anyone sees it. */
  finish(outcome: OperationState["outcome"]): Promise<void>;
  /** Stores what is only in memory yet. */
  flush(): Promise<void>;
}

/** What the functions below share; the only mutable part. */
interface Cell {
  readonly env: DriverEnvironment;
  readonly entry: IndexEntry;
  readonly events: EventSource;
  readonly writer: StateWriter;
  state: OperationState;
  journalOwner: OwnerId | undefined;
  /** Latest progress that found no sequence to be shown under. */
  unseen: Progress | undefined;
  isClaimed: boolean;
  isFlushDue: boolean;
  isFinishing: boolean;
}

/** The record of a new operation (`found` undefined) or of one that another process left. */
export function createOperationRecord(
  env: DriverEnvironment,
  entry: IndexEntry,
  found: FoundState | undefined,
): OperationRecord {
  const state = found === undefined ? queuedState(entry) : resumedState(found.stored);
  const cell: Cell = {
    env,
    entry,
    events: createEventSource(),
    writer: createStateWriter(env, entry, found?.etag, state.sequence),
    state,
    journalOwner: found?.stored,
    unseen: undefined,
    isClaimed: false,
    isFlushDue: false,
    isFinishing: false,
  };
  return {
    get state() {
      return cell.state;
    },
    get journalOwner() {
      return cell.journalOwner;
    },
    events: cell.events,
    claim: () => cell.writer.inOrder(() => fenceOnConflict(env, () => claim(cell))),
    report: (progress) => report(cell, progress),
    requestCancel: () => requestCancel(cell),
    finish: (outcome) => finish(cell, outcome),
    flush: () => flush(cell),
  };
}

function show(cell: Cell, change: Partial<OperationState>): void {
  cell.state = { ...cell.state, ...change, sequence: change.sequence ?? cell.state.sequence + 1 };
  cell.events.wake();
}

async function claim(cell: Cell): Promise<void> {
  while (!cell.isClaimed && !isDone(cell.state)) {
    const phase = cell.journalOwner === undefined ? "started" : "resumed";
    const next = { ...cell.state, sequence: cell.state.sequence + 1, progress: { ...cell.state.progress, phase } };
    try {
      await cell.writer.write(next, { isUnconditional: true });
      cell.isClaimed = true;
      // A cancel request may have come during the write: only what the claim itself changed is shown.
      show(cell, { progress: next.progress });
    } catch (error) {
      if (!isLostRace(error) || cell.env.ownership.lost.aborted) throw error;
      await adoptLatest(cell, error);
    }
  }
}

/** The previous owner wrote once more before it noticed that it is none. That was before our claim, so it counts. */
async function adoptLatest(cell: Cell, lostRace: unknown): Promise<void> {
  const latest = await readStoredState(cell.env.store, cell.entry);
  if (latest === undefined || latest.stored.epoch >= cell.env.ownership.epoch) throw lostRace;
  const isCancelRequested = cell.state.isCancelRequested || latest.stored.state.isCancelRequested;
  cell.journalOwner = latest.stored;
  cell.writer.rebase(latest.etag);
  show(cell, { ...resumedState(latest.stored), isCancelRequested });
}

function report(cell: Cell, progress: Progress): void {
  if (cell.isFinishing || isDone(cell.state) || cell.env.stopped.aborted) return;
  cell.unseen = progress;
  showUnseen(cell);
  flushLater(cell).catch((error: unknown) => {
    cell.isFlushDue = false;
    if (!cell.env.stopped.aborted) cell.env.logger.warn({ err: error }, "progress could not be stored");
  });
}

function showUnseen(cell: Cell): void {
  const hasRoom = cell.state.sequence + RESERVED_FOR_EVENTS < cell.writer.ceiling;
  if (cell.unseen === undefined || !hasRoom || cell.isFinishing) return;
  const progress = cell.unseen;
  cell.unseen = undefined;
  show(cell, { progress });
}

async function flushLater(cell: Cell): Promise<void> {
  if (cell.isFlushDue) return;
  cell.isFlushDue = true;
  await cell.env.clock.delay(cell.env.progressIntervalMs, cell.env.stopped);
  cell.isFlushDue = false;
  await flush(cell);
}

function flush(cell: Cell): Promise<void> {
  return cell.writer.inOrder(async () => {
    if (!cell.isClaimed || isDone(cell.state)) return;
    await fenceOnConflict(cell.env, () => cell.writer.write(cell.state));
    showUnseen(cell);
  });
}

async function requestCancel(cell: Cell): Promise<void> {
  if (cell.isFinishing || isDone(cell.state) || cell.state.isCancelRequested) return;
  show(cell, { isCancelRequested: true });
  await flush(cell);
}

function finish(cell: Cell, outcome: OperationState["outcome"]): Promise<void> {
  cell.isFinishing = true; // From here on nothing else may be shown: what is written is the last state.
  return cell.writer.inOrder(async () => {
    if (isDone(cell.state)) return;
    const progress = cell.unseen ?? cell.state.progress;
    const sequence = cell.state.sequence + 1;
    // The clock may have been put back since the operation was asked for.
    const endTimeMs = Math.max(cell.env.clock.nowMs(), cell.state.createTimeMs);
    const last = { ...cell.state, progress, sequence, outcome, endTimeMs };
    await fenceOnConflict(cell.env, () => cell.writer.write(last, { isUnconditional: true }));
    show(cell, last);
  });
}
