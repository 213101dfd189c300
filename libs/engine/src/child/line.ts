import type { RunWork } from "../wire.ts";
import type { PendingChecks } from "./pending-checks.ts";
import type { SharedTensor } from "./shared-tensor.ts";
import type { StoredFeed } from "./stored-feed.ts";

/** The stored inputs of a run, which it holds, and what of them is still to be found right. */
export interface StoredFeeds {
  readonly tensors: ReadonlyMap<string, SharedTensor | Promise<SharedTensor>>;
  readonly checks: PendingChecks;
}

/** Releases the inputs of a run, once: it is over, or never comes. */
export function releaseFeeds({ tensors }: StoredFeeds): void {
  for (const tensor of tensors.values()) {
    // What is still being read is released when it is there.
    if (tensor instanceof Promise) tensor.then((read) => read.release()).catch(() => undefined);
    else tensor.release();
  }
}

/** A sequence of runs with what was begun of it. */
export interface Line {
  readonly work: RunWork;
  /** By run. */
  readonly feeds: readonly (readonly StoredFeed[])[];
  /** What was begun before its turn, by run, and the bytes that it takes. */
  readonly begun: Map<number, StoredFeeds & { readonly bytes: number }>;
  /** What is not read to its end. */
  readonly reading: Set<Promise<SharedTensor>>;
  readonly ending: AbortController;
}

/** The line of a sequence, of which nothing was begun. */
export function lineOf(work: RunWork): Line {
  const { graphs, runs } = work;
  const feeds = runs.map((run) => {
    const inputs = graphs[run.graph]?.inputs ?? [];
    return Object.entries(run.feeds).flatMap(([name, source]): StoredFeed[] =>
      source.kind === "object" ? [{ name, source, port: inputs.find((input) => input.name === name) }] : [],
    );
  });
  return { work, feeds, begun: new Map(), reading: new Set(), ending: new AbortController() };
}

/** Has the line wait for a tensor when it ends. Whoever takes the tensor hears of its failure; nobody may. */
export function follow({ reading }: Line, tensor: Promise<SharedTensor>): void {
  const forget = () => reading.delete(tensor);
  reading.add(tensor);
  tensor.then(forget, forget);
}

/** The line whose turn it is; `at` is its present run, -1 before the first. */
export interface Present {
  readonly line: Line;
  readonly at: number;
}

/** A run of a line. */
export interface Place {
  readonly line: Line;
  readonly index: number;
  readonly isPresent: boolean;
}

/** The present run, if there is one, and the `count` behind it, which may be of the line that is expected next. */
export function placesFrom(present: Present | undefined, expected: Line | undefined, count: number): readonly Place[] {
  const own = present === undefined ? [] : placesOf(present.line, present.at, count);
  const all = expected === undefined ? own : [...own, ...placesOf(expected, -1, count)];
  return all.slice(0, own[0]?.isPresent ? count + 1 : count);
}

function placesOf(line: Line, at: number, count: number): readonly Place[] {
  const first = Math.max(0, at);
  const length = Math.min(line.feeds.length, at + 1 + count) - first;
  return Array.from({ length }, (_, i) => ({ line, index: first + i, isPresent: first + i === at }));
}
