import { DomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { harrellConcordance, rankedConcordance, rankRisks, unoConcordance } from "./concordance.ts";
import { censoringCurve, kaplanMeier, medianSurvival } from "./kaplan-meier.ts";
import { logRankTest } from "./log-rank.ts";
import { createRng } from "./rng.ts";
import { integratedBrierScore, survivalBrierScores } from "./survival-brier.ts";

/** The published sample with ties of every kind: times, events and risks. */
const TIED = { times: [1, 2, 2, 3, 4, 4, 5], events: [1, 1, 0, 0, 1, 1, 0] };
const TIED_RISKS = [0.9, 0.4, 0.4, 0.8, 0.4, 0.1, 0.2];

/** Twelve patients, no event at the time of a censoring. Values below by scikit-survival 0.25 and lifelines 0.30. */
const PATIENTS = {
  times: [2.5, 3.1, 4.2, 4.8, 5.5, 6.3, 7.7, 8.4, 9.6, 11.2, 12.5, 13.9],
  events: [1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0],
};
const RISKS = [0.9, 0.35, 0.75, 0.8, 0.3, 0.75, 0.5, 0.2, 0.55, 0.15, 0.35, 0.1];

describe("concordance", () => {
  it("of the tied sample is 0.76923077: 13 pairs, 9 concordant, 2 tied", () => {
    const { index, ...counts } = harrellConcordance(TIED, TIED_RISKS);
    expect(counts).toEqual({ comparable: 13, concordant: 9, tied: 2 });
    expect(index).toBeCloseTo(0.76923077, 8);
  });

  it("is null, not one half, when everyone is censored", () => {
    expect(harrellConcordance({ times: [1, 2], events: [0, 0] }, [0.1, 0.2]).index).toBeNull();
  });

  it("equals scikit-survival by Harrell's and Uno's definitions", () => {
    expect(harrellConcordance(PATIENTS, RISKS).index).toBeCloseTo(0.9166666666666666, 12);
    const censoring = censoringCurve(PATIENTS);
    expect(unoConcordance(PATIENTS, RISKS, { censoring }).index).toBeCloseTo(0.897484409498458, 12);
    expect(unoConcordance(PATIENTS, RISKS, { censoring, tau: 9 }).index).toBeCloseTo(0.8730635161337104, 12);
  });

  it("is null by Uno where no training case was followed long enough", () => {
    const censoring = censoringCurve({ times: [1, 2, 3], events: [1, 0, 0] });
    expect(unoConcordance(PATIENTS, RISKS, { censoring }).index).toBeNull();
    expect(unoConcordance(PATIENTS, RISKS, { censoring, tau: 3 }).index).not.toBeNull();
  });

  it("with integer weights equals the index of repeated cases, pair by pair", () => {
    const rng = createRng(5n);
    for (let trial = 0; trial < 20; trial += 1) {
      const n = 2 + rng.nextInt(12);
      const draw = (bound: number) => Array.from({ length: n }, () => rng.nextInt(bound));
      const [times, events, risks, weights] = [draw(5), draw(2), draw(4), draw(4)];
      const repeated = weights.flatMap((count, i) => new Array<number>(count).fill(i));
      const pick = (values: readonly number[]) => repeated.map((i) => values[i] ?? 0);
      const slow = pairByPair(pick(times), pick(events), pick(risks));
      const fast = rankedConcordance(rankRisks({ times, events }, risks), { caseWeights: weights });
      expect([fast.comparable, fast.concordant, fast.tied]).toEqual(slow);
    }
  });

  it("refuses other lengths, negative times and events that are neither 0 nor 1", () => {
    expect(() => harrellConcordance(TIED, [1])).toThrow("1 risks for 7 cases");
    expect(() => harrellConcordance({ times: [-1], events: [1] }, [1])).toThrow("time 0 is -1; it must be at least 0");
    expect(() => harrellConcordance({ times: [1], events: [2] }, [1])).toThrow(DomainError);
    expect(() => harrellConcordance({ times: [1], events: [1] }, [Number.NaN])).toThrow("risk 0 is NaN");
  });
});

/** Comparable, concordant and tied pairs by the definition. */
function pairByPair(times: number[], events: number[], risks: number[]): number[] {
  const counts = [0, 0, 0];
  times.forEach((time, i) => {
    times.forEach((other, j) => {
      const outlives = other > time || (other === time && events[j] === 0);
      if (events[i] !== 1 || !outlives) return;
      const difference = (risks[i] ?? 0) - (risks[j] ?? 0);
      counts[0] = (counts[0] ?? 0) + 1;
      if (difference > 0) counts[1] = (counts[1] ?? 0) + 1;
      if (difference === 0) counts[2] = (counts[2] ?? 0) + 1;
    });
  });
  return counts;
}

describe("the Kaplan-Meier curve", () => {
  it("equals scikit-survival, the log-log interval too", () => {
    const curve = kaplanMeier(PATIENTS);
    expect(curve[0]).toEqual({
      time: 0,
      atRisk: 12,
      events: 0,
      censored: 0,
      survival: 1,
      standardError: 0,
      low: 1,
      high: 1,
    });
    const at = (time: number) => curve.find((point) => point.time === time);
    expect(at(4.2)?.survival).toBeCloseTo(0.825, 12);
    expect(at(8.4)?.survival).toBeCloseTo(0.5028571429, 10);
    expect(at(8.4)?.low).toBeCloseTo(0.1751317275, 10);
    expect(at(8.4)?.high).toBeCloseTo(0.7624214796, 10);
    expect(at(13.9)).toMatchObject({ atRisk: 1, events: 0, censored: 1 });
    expect(at(13.9)?.low).toBeCloseTo(0.0119625485, 10);
    expect(medianSurvival(curve)).toBe(9.6);
  });

  it("counts a case censored at a time of events as at risk then", () => {
    const curve = kaplanMeier(TIED);
    expect(curve.map(({ survival }) => survival)[2]).toBeCloseTo(0.7142857143, 10);
    expect(curve.at(-1)?.survival).toBeCloseTo(0.2380952381, 10);
  });

  it("has no interval at 0, and no median when half survive", () => {
    const dead = kaplanMeier({ times: [1, 2], events: [1, 1] });
    expect(dead.at(-1)).toMatchObject({ survival: 0, standardError: null, low: null, high: null });
    expect(medianSurvival(kaplanMeier({ times: [1, 2, 3], events: [1, 0, 0] }))).toBeNull();
  });

  it("of the censoring steps after the time and not before", () => {
    const { before, after } = censoringCurve({ times: [1, 2, 2, 3], events: [1, 1, 0, 0] });
    expect([before(2), after(2), after(2.5), before(3), after(9)]).toEqual([1, 0.5, 0.5, 0.5, 0]);
  });
});

describe("the log-rank test", () => {
  const groups = [0, 1, 0, 0, 1, 1, 2, 1, 0, 2, 2, 2];

  it("equals scikit-survival for two and three groups", () => {
    const two = logRankTest(
      PATIENTS,
      groups.map((group) => Math.min(group, 1)),
      2,
    );
    expect(two?.statistic).toBeCloseTo(6.056309680685445, 10);
    expect(two?.pValue).toBeCloseTo(0.013856694695555269, 12);
    const three = logRankTest(PATIENTS, groups, 3);
    expect(three?.statistic).toBeCloseTo(8.209628706164288, 10);
    expect(three?.pValue).toBeCloseTo(0.016493080443714767, 12);
    expect(three?.observed).toEqual([4, 2, 1]);
    expect(three?.expected[2]).toBeCloseTo(4.099206, 6);
  });

  it("takes tied events by the hypergeometric variance", () => {
    const tied = { times: [1, 2, 2, 3, 4, 4, 5, 5, 6, 6], events: [1, 1, 0, 0, 1, 1, 1, 1, 0, 1] };
    expect(logRankTest(tied, [0, 0, 1, 1, 0, 1, 0, 1, 1, 0], 2)?.statistic).toBeCloseTo(1.634695579649708, 12);
  });

  it("leaves out a group without members and is null with one group", () => {
    const shifted = groups.map((group) => (group === 2 ? 3 : group));
    expect(logRankTest(PATIENTS, shifted, 4)?.degrees).toBe(2);
    expect(logRankTest(PATIENTS, new Array<number>(12).fill(0), 1)).toBeNull();
  });
});

describe("the Brier score of survival forecasts", () => {
  const times = [3, 5, 8, 10];
  const survival = RISKS.map((risk) => times.map((time) => Math.exp((-risk * time) / 8)));

  it("equals scikit-survival at each time and integrated", () => {
    const scores = survivalBrierScores(PATIENTS, { times, survival }, censoringCurve(PATIENTS));
    const expected = [0.0676376261, 0.1324245301, 0.1172823174, 0.180543222];
    expected.forEach((value, t) => {
      expect(scores[t]).toBeCloseTo(value, 9);
    });
    expect(integratedBrierScore(times, scores)).toBeCloseTo(0.12463542384718902, 12);
  });

  it("is 0 for a forecast that knows, and refuses times that do not ascend", () => {
    const outcomes = { times: [1, 3], events: [1, 0] };
    const censoring = censoringCurve(outcomes);
    expect(survivalBrierScores(outcomes, { times: [2], survival: [[0], [1]] }, censoring)).toEqual([0]);
    const wrong = {
      times: [2, 2],
      survival: [
        [0, 0],
        [1, 1],
      ],
    };
    expect(() => survivalBrierScores(outcomes, wrong, censoring)).toThrow("forecast time 1 is 2");
  });

  it("counts a case whose own time is the forecast's as free before it and not after it, with G on the same side", () => {
    const outcomes = { times: [1, 2, 2, 3], events: [1, 1, 0, 1] };
    // G is 1 before time 2 and 1/2 after it: one of the two who are at risk once the events of that time have left is censored.
    const censoring = censoringCurve(outcomes);
    const forecast = { times: [2], survival: [[0.2], [0.5], [0.6], [0.9]] };
    const [before] = survivalBrierScores(outcomes, { ...forecast, side: "before" }, censoring);
    const [after] = survivalBrierScores(outcomes, { ...forecast, side: "after" }, censoring);
    expect(before).toBeCloseTo((0.2 ** 2 + 0.5 ** 2 + 0.4 ** 2 + 0.1 ** 2) / 4, 12);
    expect(after).toBeCloseTo((0.2 ** 2 + 0.5 ** 2 + 0.1 ** 2 / 0.5) / 4, 12);
    expect(survivalBrierScores(outcomes, forecast, censoring)).toEqual([after]);
  });

  it("before a time is that of the same forecast after a moment earlier", () => {
    const rng = createRng(21n);
    const forecastTimes = [1, 2, 3, 4];
    for (let round = 0; round < 50; round += 1) {
      const outcomes = {
        times: Array.from({ length: 12 }, () => rng.nextInt(7)),
        events: Array.from({ length: 12 }, () => rng.nextInt(2)),
      };
      const censoring = censoringCurve(outcomes);
      const survival = outcomes.times.map(() => forecastTimes.map(() => rng.nextFloat()));
      const earlier = forecastTimes.map((time) => time - 1e-6);
      const before = survivalBrierScores(outcomes, { times: forecastTimes, survival, side: "before" }, censoring);
      expect(before).toEqual(survivalBrierScores(outcomes, { times: earlier, survival }, censoring));
    }
  });
});
