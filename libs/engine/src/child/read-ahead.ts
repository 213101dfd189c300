import { abortErrorFromSignal, DomainError } from "@parfocal/errors";
import type { RunWork } from "../wire.ts";
import {
  follow,
  type Line,
  lineOf,
  type Place,
  type Present,
  placesFrom,
  releaseFeeds,
  type StoredFeeds,
} from "./line.ts";
import { createPendingChecks } from "./pending-checks.ts";
import type { SharedTensor } from "./shared-tensor.ts";
import { readingBytes, readStored, type StoredContext, type StoredFeed } from "./stored-feed.ts";

/** Reads the stored inputs of runs, those of later runs while the present one is computed. */
export interface ReadAhead {
  /** A sequence begins; its signal ends its readings. One at a time. */
  enter(work: RunWork, signal: AbortSignal): SequenceFeeds;
  /** What comes after the present sequence; `undefined` when that is not known any more, which ends its readings. */
  expect(work: RunWork | undefined): void;
  /** Bytes of what was begun before its turn. */
  readonly bytes: number;
}

/** The stored inputs of one sequence. */
interface SequenceFeeds {
  /** Those of a run, for it to release; begins those of the runs behind it. Call it once per run, in order. */
  take(index: number): StoredFeeds;
  /** Ends what is still being read, and waits for that. */
  close(): Promise<void>;
}

/** Runs looked ahead: enough for a store that takes a few of them to answer. */
const MAX_RUNS = 6;

/** Bytes that may be read ahead, beside those of the run itself. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Looks ahead for objects of the store, through the present sequence and into the one that is expected, in order. A run that reads
 * an object of a run shortly before it waits until that one had its turn: what that one finds out (that it is right, its bytes in
 * the cache) this one shall not find out again.
 */
export function createReadAhead(context: StoredContext, maxBytes = MAX_BYTES): ReadAhead {
  let present: Present | undefined;
  let expected: Line | undefined;
  let nBytes = 0;

  function begin(line: Line, index: number): StoredFeeds & { readonly bytes: number } {
    const checks = createPendingChecks();
    const tensors = new Map<string, SharedTensor | Promise<SharedTensor>>();
    let bytes = 0;
    for (const feed of line.feeds[index] ?? []) {
      const tensor = readStored(feed, { context, checks, signal: line.ending.signal });
      tensors.set(feed.name, tensor);
      if (!(tensor instanceof Promise)) continue;
      follow(line, tensor);
      bytes += readingBytes(feed);
    }
    return { tensors, checks, bytes };
  }
  function beginEarly({ line, index }: Place): void {
    const begun = begin(line, index);
    line.begun.set(index, begun);
    nBytes += begun.bytes;
  }
  /** Begins what there is room for. */
  function advance(): void {
    const keys = new Set<string>();
    for (const place of placesFrom(present, expected, MAX_RUNS)) {
      const feeds = place.line.feeds[place.index] ?? [];
      if (isLeft(place, feeds, keys)) {
        if (nBytes + sumOf(feeds) > maxBytes) return;
        beginEarly(place);
      }
      for (const { source } of feeds) keys.add(source.key);
    }
  }
  /** What was begun counts until its readers have let go of it. */
  async function end(line: Line): Promise<void> {
    line.ending.abort(new DomainError("CANCELLED", "nobody waits for this input any more"));
    await Promise.allSettled(line.reading);
    for (const begun of line.begun.values()) {
      nBytes -= begun.bytes;
      releaseFeeds(begun);
    }
    line.begun.clear();
    advance();
  }

  return {
    enter(work, signal) {
      const line = expected?.work === work ? expected : lineOf(work);
      if (line === expected) expected = undefined;
      present = { line, at: -1 };
      const stop = () => line.ending.abort(abortErrorFromSignal(signal));
      if (signal.aborted) stop();
      signal.addEventListener("abort", stop, { once: true });
      return {
        take(index) {
          const early = line.begun.get(index);
          line.begun.delete(index);
          nBytes -= early?.bytes ?? 0;
          present = { line, at: index };
          // Before those behind it.
          const own = early ?? begin(line, index);
          advance();
          return own;
        },
        close() {
          signal.removeEventListener("abort", stop);
          present = undefined;
          return end(line);
        },
      };
    },
    expect(work) {
      if (expected?.work === work) return;
      if (expected !== undefined) void end(expected);
      expected = work && lineOf(work);
      advance();
    },
    get bytes() {
      return nBytes;
    },
  };
}

/** Whether a run's inputs are still to be begun, and may be. */
function isLeft({ line, index, isPresent }: Place, feeds: readonly StoredFeed[], keys: ReadonlySet<string>): boolean {
  const isBegun = isPresent || line.begun.has(index);
  return !isBegun && feeds.length > 0 && !feeds.some(({ source }) => keys.has(source.key));
}

function sumOf(feeds: readonly StoredFeed[]): number {
  return feeds.reduce((sum, feed) => sum + readingBytes(feed), 0);
}
