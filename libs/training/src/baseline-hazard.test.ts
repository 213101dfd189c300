import { describe, expect, it } from "vitest";
import { breslowHazard, survivalCurve } from "./baseline-hazard.ts";
import type { EventTime } from "./label.ts";

const event = (time: number): EventTime => ({ time, isEvent: true });
const censored = (time: number): EventTime => ({ time, isEvent: false });

describe("Breslow's baseline hazard", () => {
  // Weights e^theta of 1, 2, 4, 3, 5: at time 2 all 15 are at risk, at 3 (two events, of 2 and 4) 14, at 7 the last, of 5.
  const times = [event(2), event(3), event(3), censored(5), event(7)];
  const theta = [1, 2, 4, 3, 5].map(Math.log);

  it("grows by events over the sum of risks, as computed by hand", () => {
    const { times: at = [], hazards = [] } = breslowHazard(times, theta, "breslow") ?? {};
    expect(at).toEqual([2, 3, 7]);
    const expected = [1 / 15, 1 / 15 + 2 / 14, 1 / 15 + 2 / 14 + 1 / 5];
    for (const [k, value] of expected.entries()) expect(hazards[k]).toBeCloseTo(value, 14);
  });

  it("equals scikit-survival 0.28, its curve too", () => {
    const follow = [5, 3, 9, 3, 7, 12, 1, 9, 4, 15, 7, 2];
    const seen = [1, 1, 0, 1, 1, 1, 0, 1, 0, 0, 1, 1];
    const risks = [0.3, 1.2, -0.7, 0.5, 0, -1.1, 0.9, -0.2, 0.4, -1.5, 0.8, 1.7];
    const cases = follow.map((time, i) => (seen[i] === 1 ? event(time) : censored(time)));
    const baseline = breslowHazard(cases, risks, "breslow");
    // BreslowEstimator().fit(risks, seen, follow): cum_baseline_hazard_, and get_survival_function([0.6]).
    const hazards = [
      0.054403035352853485, 0.2093531500297083, 0.36447086254820305, 0.7568694559677096, 1.2912523741491615,
      3.089809501614985,
    ];
    const survival = [
      0.9056260617485316, 0.6828593908005011, 0.5147318410885127, 0.2518035484439314, 0.09510105394633354,
      0.003588575390067807,
    ];
    expect(baseline?.times).toEqual([2, 3, 5, 7, 9, 12]);
    const curve = baseline === undefined ? [] : survivalCurve(baseline, 0.6);
    for (const [k, hazard] of hazards.entries()) {
      expect(baseline?.hazards[k]).toBeCloseTo(hazard, 13);
      expect(curve[k]?.survival).toBeCloseTo(survival[k] ?? Number.NaN, 13);
    }
  });

  it("takes tied events one after the other with Efron, who are half at risk for the second", () => {
    const { hazards = [] } = breslowHazard(times, theta, "efron") ?? {};
    const expected = [1 / 15, 1 / 15 + 1 / 14 + 1 / 11, 1 / 15 + 1 / 14 + 1 / 11 + 1 / 5];
    for (const [k, value] of expected.entries()) expect(hazards[k]).toBeCloseTo(value, 14);
  });

  it("is Nelson and Aalen's estimate where nobody has a risk, whatever the order of patients", () => {
    const none = times.map(() => 0);
    const expected = [1 / 5, 1 / 5 + 2 / 4, 1 / 5 + 2 / 4 + 1];
    const { hazards = [] } = breslowHazard(times.toReversed(), none, "breslow") ?? {};
    for (const [k, value] of expected.entries()) expect(hazards[k]).toBeCloseTo(value, 14);
  });

  it("makes the expected events those that were seen: the sum of H(t) e^theta over patients is their number", () => {
    const { times: at = [], hazards = [] } = breslowHazard(times, theta, "breslow") ?? {};
    const hazardAt = (time: number) => hazards.at(at.findLastIndex((each) => each <= time)) ?? 0;
    const total = times.reduce((sum, { time }, i) => sum + hazardAt(time) * Math.exp(theta[i] ?? 0), 0);
    expect(total).toBeCloseTo(4, 12);
  });

  it("gives a curve that falls, faster for a higher risk, with hazards that make it", () => {
    const baseline = breslowHazard(times, theta, "breslow");
    if (baseline === undefined) throw new Error("there are events");
    const [low, high] = [survivalCurve(baseline, 0), survivalCurve(baseline, 1)];
    expect(low[0]?.survival).toBeCloseTo(Math.exp(-1 / 15), 14);
    for (const curve of [low, high]) {
      let survival = 1;
      for (const step of curve) {
        survival *= 1 - step.hazard;
        expect(step.survival).toBeCloseTo(survival, 12);
      }
    }
    for (const [k, step] of high.entries()) expect(step.survival).toBeCloseTo((low[k]?.survival ?? 0) ** Math.E, 12);
  });

  it("keeps 128 times of many, exact and with the last", () => {
    const many = Array.from({ length: 1000 }, (_, i) => event(i + 1));
    const baseline = breslowHazard(
      many,
      many.map(() => 0),
      "efron",
    );
    expect(baseline?.times).toHaveLength(128);
    expect(baseline?.times.at(-1)).toBe(1000);
    const harmonic = (from: number) =>
      Array.from({ length: from }, (_, i) => 1 / (1000 - i)).reduce((a, b) => a + b, 0);
    const [first = 0] = baseline?.times ?? [];
    expect(baseline?.hazards[0]).toBeCloseTo(harmonic(first), 12);
    expect(baseline?.hazards.at(-1)).toBeCloseTo(harmonic(1000), 9);
  });

  it("is not there without an event, nor where risks are beyond numbers", () => {
    expect(breslowHazard([censored(1)], [0], "efron")).toBeUndefined();
    expect(breslowHazard([event(1)], [1000], "efron")).toBeUndefined();
    expect(breslowHazard([event(1)], [Number.NaN], "efron")).toBeUndefined();
  });
});
