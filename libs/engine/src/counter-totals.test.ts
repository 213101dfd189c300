import { describe, expect, it } from "vitest";
import { createCounterTotals, NO_COUNTERS } from "./counter-totals.ts";

describe("counters of an engine's processes", () => {
  it("go on where the process before ended", () => {
    const totals = createCounterTotals();
    const [first, second] = [{}, {}];
    totals.add(first, { ...NO_COUNTERS, cacheHits: 2, storeReadBytes: 100 });
    totals.add(first, { ...NO_COUNTERS, cacheHits: 5, storeReadBytes: 100 });
    totals.add(second, { ...NO_COUNTERS, cacheHits: 1, sessionsCreated: 1 });
    expect(totals.current).toEqual({ ...NO_COUNTERS, cacheHits: 6, storeReadBytes: 100, sessionsCreated: 1 });
  });
});
