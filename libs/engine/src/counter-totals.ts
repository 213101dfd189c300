import type { ChildCounters } from "./wire.ts";

/** Counters of all engine processes that one engine has had. */
export interface CounterTotals {
  /** Takes in what a process counts since it began. */
  add(process: object, counters: ChildCounters): void;
  readonly current: ChildCounters;
}

const NAMES = ["sessionsCreated", "cacheHits", "cacheMisses", "storeReadBytes", "storeWrittenBytes"] as const;

/** Counters of a process that has done nothing. */
export const NO_COUNTERS: ChildCounters = {
  ...{ sessionsCreated: 0, cacheHits: 0, cacheMisses: 0, storeReadBytes: 0, storeWrittenBytes: 0 },
};

/** Sums that a new process goes on from: what its predecessor counted is kept. */
export function createCounterTotals(): CounterTotals {
  let current = NO_COUNTERS;
  let last: { readonly process: object; readonly counters: ChildCounters } | undefined;
  return {
    add(process, counters) {
      const before = last?.process === process ? last.counters : NO_COUNTERS;
      const sums = NAMES.map((name) => [name, current[name] + counters[name] - before[name]]);
      current = Object.fromEntries(sums) as unknown as ChildCounters;
      last = { process, counters };
    },
    get current() {
      return current;
    },
  };
}
