import { describe, expect, it } from "vitest";
import { countKept, splitTokens } from "./masking.ts";
import { tokenLevels } from "./token-layout.ts";

const FULL = { levelCount: 3, levels: [0, 1, 2], regionTiles: 3 };

/** A seeded sequence of uniform numbers in [0, 1). */
function uniformsFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("removing tokens (M5)", () => {
  it("keeps 141, 94 and 47 of 189 at ratios of a quarter, a half and three quarters", () => {
    expect([0.25, 0.5, 0.75].map((ratio) => countKept(189, ratio))).toEqual([141, 94, 47]);
    expect(countKept(10, 0.9)).toBe(1);
  });

  it("gives every token to one side, in order", () => {
    const next = uniformsFrom(1);
    const { kept, removed } = splitTokens(Array.from({ length: 189 }, next), 0.5);
    expect([kept.length, removed.length]).toEqual([94, 95]);
    expect([...kept, ...removed].sort((a, b) => a - b)).toEqual(Array.from({ length: 189 }, (_, t) => t));
    expect(kept).toEqual(kept.toSorted((a, b) => a - b));
  });

  it.each([
    [0.25, 0.25397],
    [0.5, 0.50265],
    [0.75, 0.75132],
  ])("at %d removes every token with frequency %d, magnifications in proportion", (ratio, frequency) => {
    const next = uniformsFrom(7);
    const nDraws = 2000;
    const counts = new Array<number>(189).fill(0);
    for (let i = 0; i < nDraws; i++) {
      for (const token of splitTokens(Array.from({ length: 189 }, next), ratio).removed) counts[token]! += 1;
    }
    // Five standard deviations of a binomial share, of one token and of a whole magnification.
    const slack = 5 * Math.sqrt((frequency * (1 - frequency)) / nDraws);
    for (const count of counts) expect(Math.abs(count / nDraws - frequency)).toBeLessThan(slack);
    const levels = tokenLevels(FULL);
    for (const [level, size] of [9, 36, 144].entries()) {
      const total = counts.reduce((sum, count, t) => sum + (levels[t] === level ? count : 0), 0);
      expect(Math.abs(total / nDraws / size - frequency)).toBeLessThan(slack);
    }
  });

  it("leaves missing tokens out of both sides", () => {
    const uniforms = [0.9, 0.1, 0.5, 0.3, 0.2];
    expect(splitTokens(uniforms, 0.5, [1, 0, 1, 1, 1])).toEqual({ kept: [3, 4], removed: [0, 2] });
  });
});
