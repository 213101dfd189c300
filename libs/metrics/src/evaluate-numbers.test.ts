import { describe, expect, it } from "vitest";
import { harrellConcordance, unoConcordance } from "./concordance.ts";
import { evaluate } from "./evaluate.ts";
import { evaluateRegression } from "./evaluate-regression.ts";
import { evaluateSurvival } from "./evaluate-survival.ts";
import { censoringCurve } from "./kaplan-meier.ts";
import { riskGroups } from "./risk-groups.ts";
import { createRng } from "./rng.ts";

const options = (seed = 1n) => ({ rng: createRng(seed), nResamples: 200 });

/** 40 patients with one noisy number each. */
const NUMBERS = (() => {
  const rng = createRng(3n);
  const targets = Array.from({ length: 40 }, () => [rng.normal(), rng.normal()]);
  const predicted = targets.map((row) => row.map((value) => value + rng.normal() / 2));
  return { names: ["age", "share"], patients: targets.map((_, i) => `p${i}`), targets, predicted };
})();

describe("evaluateRegression", () => {
  it("gives each number its metrics, the point inside its interval", () => {
    const { targets, nPatients } = evaluateRegression(NUMBERS, options());
    expect(nPatients).toBe(40);
    expect(targets.map(({ name }) => name)).toEqual(["age", "share"]);
    for (const { metrics } of targets) {
      for (const name of ["mae", "rmse", "r2", "pearson", "spearman"] as const) {
        const estimate = metrics[name];
        expect(estimate?.value).toBeGreaterThan(estimate?.interval?.low ?? Number.NaN);
        expect(estimate?.value).toBeLessThan(estimate?.interval?.high ?? Number.NaN);
      }
    }
  });

  it("leaves out numbers that are not known, and refuses when none is", () => {
    const some = NUMBERS.targets.map(([age = 0, share = 0], i) => [i < 10 ? null : age, share]);
    const report = evaluateRegression({ ...NUMBERS, targets: some }, options());
    expect(report.targets.map(({ nCases }) => nCases)).toEqual([30, 40]);
    const none = some.map(() => [null, null]);
    expect(() => evaluateRegression({ ...NUMBERS, targets: none }, options())).toThrow("none of 40 cases");
  });

  it("draws patients, not slides: doubling every slide changes no interval", () => {
    const doubled = {
      names: NUMBERS.names,
      patients: NUMBERS.patients.flatMap((patient) => [patient, patient]),
      targets: NUMBERS.targets.flatMap((row) => [row, row]),
      predicted: NUMBERS.predicted.flatMap((row) => [row, row]),
    };
    const [once, twice] = [evaluateRegression(NUMBERS, options()), evaluateRegression(doubled, options())];
    const interval = (report: typeof once) => report.targets[0]?.metrics.mae?.interval;
    expect(interval(twice)?.low).toBeCloseTo(interval(once)?.low ?? Number.NaN, 12);
    expect(interval(twice)?.high).toBeCloseTo(interval(once)?.high ?? Number.NaN, 12);
  });
});

describe("evaluateSurvival", () => {
  const rng = createRng(4n);
  const risks = Array.from({ length: 60 }, () => rng.normal());
  const outcomes = {
    times: risks.map((risk) => -Math.log(1 - rng.nextFloat()) * Math.exp(-risk) + 0.01),
    events: risks.map(() => Number(rng.nextFloat() < 0.7)),
  };
  const cases = { patients: risks.map((_, i) => `p${i}`), outcomes, risks };

  it("gives Harrell's index alone without training cases", () => {
    const { metrics, nEvents } = evaluateSurvival(cases, options());
    expect(Object.keys(metrics)).toEqual(["cIndex"]);
    expect(nEvents).toBe(outcomes.events.filter((event) => event === 1).length);
    expect(metrics.cIndex?.value).toBe(harrellConcordance(outcomes, risks).index);
    expect(metrics.cIndex?.interval?.low).toBeGreaterThan(0.5);
  });

  it("adds Uno's index and the integrated Brier score where the censoring is known", () => {
    const times = [0.2, 0.5, 1];
    const survival = risks.map((risk) => times.map((time) => Math.exp(-time * Math.exp(risk))));
    const censoring = censoringCurve(outcomes);
    const { metrics } = evaluateSurvival({ ...cases, forecast: { times, survival }, censoring, tau: 2 }, options());
    expect(metrics.unoCIndex?.interval?.low).toBeLessThan(metrics.unoCIndex?.value ?? Number.NaN);
    expect(metrics.integratedBrier?.value).toBeLessThan(0.25);
  });

  it("counts events by Uno as long as training cases were followed", () => {
    const [followed, short] = [0.5, { times: [0.1, 0.5], events: [0, 0] }];
    const censoring = censoringCurve(short);
    const { metrics } = evaluateSurvival({ ...cases, censoring }, options());
    const truncated = unoConcordance(outcomes, risks, { censoring, tau: followed }).index;
    expect(outcomes.times.some((time) => time > followed)).toBe(true);
    expect(metrics.unoCIndex?.value).toBeCloseTo(truncated ?? Number.NaN, 12);
  });

  it("has no index and no interval when nobody's event was seen", () => {
    const censored = { ...outcomes, events: outcomes.events.map(() => 0) };
    const { metrics } = evaluateSurvival({ ...cases, outcomes: censored }, options());
    expect(metrics.cIndex).toEqual({ value: null, interval: null });
  });
});

describe("evaluate of an ordinal task", () => {
  it("decides by the median and measures the quadratic kappa", () => {
    const rows = [
      [0.4, 0.3, 0.3],
      [0.45, 0.1, 0.45],
      [0.1, 0.2, 0.7],
      [0.6, 0.2, 0.2],
    ] as const;
    const labels = [1, 1, 2, 0];
    const task = { kind: "ordinal", classes: ["low", "mid", "high"] } as const;
    const cases = rows.map((probabilities, i) => ({ patient: `p${i}`, label: labels[i] ?? 0, probabilities }));
    const report = evaluate(task, cases, options());
    expect(report.metrics.quadraticKappa?.value).toBe(1);
    expect(report.metrics.accuracy?.value).toBe(1);
    const nominal = evaluate({ ...task, kind: "multi-class" }, cases, options());
    expect(nominal.metrics.quadraticKappa).toBeUndefined();
    expect(nominal.metrics.accuracy?.value).toBe(0.5);
  });
});

describe("riskGroups", () => {
  it("puts a risk on a cut into the upper group", () => {
    expect(riskGroups([0.1, 0.5, 0.7, 2], [0.5, 1])).toEqual([0, 1, 1, 2]);
    expect(() => riskGroups([1], [1, 1])).toThrow("cut 1 is 1");
  });
});
