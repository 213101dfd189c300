import { describe, expect, it } from "vitest";
import { createRowTally } from "./row-tally.ts";

describe("createRowTally", () => {
  it("counts what was done before, what shards say last, and estimates by the pace since it began", () => {
    let ms = 0;
    const tally = createRowTally(20, { scored: 3, failed: 1 }, () => ms);
    expect(tally.progress()).toEqual({ fraction: 0.2, counters: { done: 4, total: 20, scored: 3, failed: 1 } });
    tally.set(0, { scored: 2, failed: 0 });
    tally.set(0, { scored: 3, failed: 1 });
    tally.addEngineMs(1500);
    ms = 2000;
    expect(tally.progress()).toEqual({
      fraction: 0.4,
      etaS: 6,
      counters: { done: 8, total: 20, scored: 6, failed: 2, engine_s: 1.5, rows_per_s: 2 },
    });
  });
});
