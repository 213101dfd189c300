import { describe, expect, it } from "vitest";
import { bootstrapIntervals } from "./bootstrap.ts";
import { createRng } from "./rng.ts";

const values = Array.from({ length: 60 }, (_, i) => (i * 37) % 60);
const patients = values.map((_, i) => `p${i}`);
const meanStatistic = (weights: Float64Array): { mean: number | null } => {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { mean: weights.reduce((sum, weight, i) => sum + weight * (values[i] ?? 0), 0) / total };
};

describe("bootstrapIntervals", () => {
  it("is the same for the same seed and differs for another", () => {
    const run = (seed: bigint) =>
      bootstrapIntervals({ patients, statistics: meanStatistic, rng: createRng(seed) }).intervals.mean;
    expect(run(1n)).toEqual(run(1n));
    expect(run(1n)).not.toEqual(run(2n));
  });

  it("approximates the normal interval of a mean", () => {
    const { intervals } = bootstrapIntervals({
      patients,
      statistics: meanStatistic,
      rng: createRng(3n),
      nResamples: 2000,
    });
    const standardError = Math.sqrt((60 ** 2 - 1) / 12 / 60);
    expect(Math.abs((intervals.mean?.low ?? 0) - (29.5 - 1.96 * standardError))).toBeLessThan(0.35);
    expect(Math.abs((intervals.mean?.high ?? 0) - (29.5 + 1.96 * standardError))).toBeLessThan(0.35);
  });

  it("keeps the cases of a patient together", () => {
    const pairs = patients.map((_, i) => `p${Math.floor(i / 2)}`);
    bootstrapIntervals({
      patients: pairs,
      rng: createRng(4n),
      nResamples: 50,
      statistics: (weights) => {
        for (let i = 0; i < weights.length; i += 2) expect(weights[i]).toBe(weights[i + 1]);
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBe(60);
        return meanStatistic(weights);
      },
    });
  });

  it("draws again when a resample is not usable, and counts it", () => {
    const { intervals, nRedraws } = bootstrapIntervals({
      patients,
      statistics: meanStatistic,
      isUsable: (weights) => (weights[0] ?? 0) > 0,
      rng: createRng(5n),
    });
    expect(intervals.mean).not.toBeNull();
    // 1 - (59/60)^60 = 0.635 of the draws contain a given patient.
    expect(nRedraws).toBeGreaterThan(400);
    expect(nRedraws).toBeLessThan(800);
  });

  it("stops after 20 draws per resample and gives no interval", () => {
    const run = bootstrapIntervals({
      patients,
      statistics: meanStatistic,
      isUsable: () => false,
      rng: createRng(6n),
      nResamples: 10,
    });
    expect(run).toEqual({ intervals: { mean: null }, nResamples: 10, nRedraws: 200 });
  });

  it("gives no interval for one patient or for a statistic that is undefined", () => {
    const one = bootstrapIntervals({ patients: ["a", "a"], statistics: meanStatistic, rng: createRng(7n) });
    expect(one.intervals.mean).toBeNull();
    const none = bootstrapIntervals({ patients, statistics: () => ({ mean: null }), rng: createRng(7n) });
    expect(none.intervals.mean).toBeNull();
  });

  it("refuses 0 resamples", () => {
    expect(() =>
      bootstrapIntervals({ patients, statistics: meanStatistic, rng: createRng(1n), nResamples: 0 }),
    ).toThrow("there are 0 resamples; there must be at least 1");
  });
});
