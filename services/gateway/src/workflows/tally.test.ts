import { describe, expect, it } from "vitest";
import { createTally } from "./tally.ts";

describe("createTally", () => {
  it("adds shares of what is under way, counts what is done once, and tells the refused", () => {
    const tally = createTally(4);
    tally.finish(0, false);
    tally.finish(0, false);
    tally.finish(1, true);
    tally.advance(2, 0.5);
    tally.advance(1, 0.25);
    expect(tally.progress()).toMatchObject({ fraction: 2.5 / 4, counters: { done: 2, total: 4, refused: 1 } });
  });

  it("estimates the end by the pace since it began, whatever was done before", () => {
    let ms = 1000;
    const tally = createTally(10, () => ms);
    for (const index of [0, 1, 2, 3]) tally.finish(index, false);
    expect(tally.progress().etaS).toBeUndefined();
    tally.advance(4, 0);
    ms += 2000;
    tally.finish(4, false);
    expect(tally.progress().etaS).toBeCloseTo(10);
  });
});
