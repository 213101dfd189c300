import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMoments } from "./fit-standardise.ts";

const value = fc.double({ min: -1e3, max: 1e3, noNaN: true });
const cohort = fc.array(fc.array(value, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 8 });

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}

function spreadOf(values: readonly number[], mean: number): number {
  return values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
}

describe("moments joined bag by bag", () => {
  it("are those of all tiles together, however they are divided into bags", () => {
    fc.assert(
      fc.property(cohort, (bags) => {
        const moments = createMoments(1);
        for (const bag of bags) moments.addBag(bag.length, [meanOf(bag)], [spreadOf(bag, meanOf(bag))]);
        const [mean = Number.NaN, scale = Number.NaN] = moments.meanAndScale();
        const all = bags.flat();
        const spread = spreadOf(all, meanOf(all));
        // 1e-6 of the largest value: the results are f32.
        expect(Math.abs(mean - meanOf(all))).toBeLessThan(1e-3);
        if (spread > 1e-6) expect(scale * Math.sqrt(spread / all.length)).toBeCloseTo(1, 4);
      }),
    );
  });

  it("give a feature that never varies the scale 1", () => {
    const moments = createMoments(2);
    moments.addBag(3, [5, 1], [0, 2]);
    moments.addBag(2, [5, 1], [0, 2]);
    expect(Array.from(moments.meanAndScale())).toEqual([5, 1, 1, Math.fround(Math.sqrt(5 / 4))]);
  });
});
