import type { RunRequest, RunResult, StepEngine } from "@parfocal/engine";
import { assertNotAborted } from "@parfocal/errors";

/** Runs of one message should take this long: short enough for progress and cancelling, long enough to hide the message. */
const CHUNK_MS = 250;

/** Runs of one message at most, which bounds its size (about 1 kB a run). */
const MAX_CHUNK_RUNS = 1024;

/** What {@link runInChunks} needs. */
export interface ChunkOptions {
  readonly engine: StepEngine;
  nowMs(): number;
  readonly signal: AbortSignal;
  /** Kept by a caller that runs much of the same kind; without it the first message has one run. */
  readonly pace?: ChunkPace;
}

/** How many runs the next message should have: what the messages before it took says so. */
export interface ChunkPace {
  nRuns: number;
}

/** Results of one message. */
export interface ChunkResult {
  readonly results: readonly RunResult[];
  /** Index of the first of them among all runs. */
  readonly first: number;
}

/**
 * Sends runs to the engine in messages of about a quarter of a second, giving the results of each as it comes. Where the
 * cuts fall depends on the clock, what is computed does not. A fired signal ends the message that is under way.
 *
 * @throws {DomainError} What the engine throws; `CANCELLED` or `DEADLINE_EXCEEDED` when the signal fires.
 */
export async function* runInChunks(
  runs: Iterable<RunRequest>,
  options: ChunkOptions,
): AsyncGenerator<ChunkResult, void, undefined> {
  yield* runGroupsInChunks(alone(runs), options);
}

/**
 * The same with groups of runs that belong into one message, as a later run of a group uses what an earlier one left in
 * the engine. Gives the result of the last run of each group.
 *
 * @throws {DomainError} As {@link runInChunks}.
 */
export async function* runGroupsInChunks(
  groups: Iterable<readonly RunRequest[]>,
  options: ChunkOptions,
): AsyncGenerator<ChunkResult, void, undefined> {
  const iterator = groups[Symbol.iterator]();
  const pace = options.pace ?? { nRuns: 1 };
  for (let first = 0; ; ) {
    assertNotAborted(options.signal);
    const chunk = takeUpTo(iterator, pace.nRuns);
    if (chunk.length === 0) return;
    const startedMs = options.nowMs();
    const all = await options.engine.run(chunk.flat(), { signal: options.signal });
    pace.nRuns = nextSize(chunk.length, options.nowMs() - startedMs);
    yield { results: lastOfGroups(chunk, all), first };
    first += chunk.length;
  }
}

function* alone<T>(items: Iterable<T>): Generator<readonly T[], void, undefined> {
  for (const item of items) yield [item];
}

function lastOfGroups(groups: readonly (readonly RunRequest[])[], results: readonly RunResult[]): RunResult[] {
  let end = 0;
  return groups.flatMap((group) => {
    end += group.length;
    return results.slice(end - 1, end);
  });
}

/** At most four times the last one, so that one lucky measurement cannot make an endless message. */
function nextSize(size: number, elapsedMs: number): number {
  const fitting = Math.floor((size * CHUNK_MS) / Math.max(elapsedMs, 0.1));
  return Math.max(1, Math.min(fitting, size * 4, MAX_CHUNK_RUNS));
}

function takeUpTo<T>(iterator: Iterator<T>, size: number): T[] {
  const taken: T[] = [];
  while (taken.length < size) {
    const next = iterator.next();
    if (next.done === true) break;
    taken.push(next.value);
  }
  return taken;
}
