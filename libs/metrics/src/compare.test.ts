import { describe, expect, it } from "vitest";
import { type Comparison, compareContenders } from "./compare.ts";
import { contestOfClassifiers, contestOfNumbers, contestOfRisks } from "./contenders.ts";
import { delongTest } from "./delong.ts";
import { holmAdjusted } from "./holm.ts";
import { mcnemarTest } from "./mcnemar.ts";
import { createRng } from "./rng.ts";

/** Decisions that disagree `b` times one way and `c` times the other. */
function decisionsOf(b: number, c: number): [boolean[], boolean[]] {
  const first = [...new Array<boolean>(b).fill(true), ...new Array<boolean>(c).fill(false), true, false];
  const second = [...new Array<boolean>(b).fill(false), ...new Array<boolean>(c).fill(true), true, false];
  return [first, second];
}

describe("McNemar's exact test", () => {
  it("equals statsmodels", () => {
    expect(mcnemarTest(...decisionsOf(3, 12))).toMatchObject({ onlyA: 3, onlyB: 12, difference: -9 / 17 });
    const p = (b: number, c: number) => mcnemarTest(...decisionsOf(b, c))?.pValue;
    expect(p(3, 12)).toBeCloseTo(0.03515625, 12);
    expect(p(10, 11)).toBe(1);
    expect(p(0, 5)).toBeCloseTo(0.0625, 12);
    expect(p(4, 4)).toBe(1);
    expect(p(0, 0)).toBe(1);
  });

  it("does not underflow with thousands of disagreements", () => {
    expect(mcnemarTest(...decisionsOf(2000, 2000))?.pValue).toBe(1);
    const p = mcnemarTest(...decisionsOf(1900, 2100))?.pValue ?? Number.NaN;
    // The normal approximation with a continuity correction gives z = 199 / sqrt(4000), p = 0.001652.
    expect(p).toBeCloseTo(0.00165, 4);
  });

  it("is null without cases and refuses other lengths", () => {
    expect(mcnemarTest([], [])).toBeNull();
    expect(() => mcnemarTest([true], [])).toThrow("decisions of 1 and 0 cases");
  });
});

describe("Holm's adjustment", () => {
  it("equals statsmodels, and passes over tests that could not be made", () => {
    const adjusted = holmAdjusted([0.01, 0.04, 0.03, 0.005, 0.5]);
    [0.04, 0.09, 0.09, 0.025, 0.5].forEach((p, i) => {
      expect(adjusted[i]).toBeCloseTo(p, 12);
    });
    expect(holmAdjusted([null, 0.02, null, 0.04])).toEqual([null, 0.04, null, 0.04]);
  });
});

describe("comparing classifiers", () => {
  const rng = createRng(11n);
  const labels = Array.from({ length: 120 }, (_, i) => i % 2);
  const patients = labels.map((_, i) => `p${i}`);
  const noisy = (strength: number) => ({
    probabilities: labels.map((label) => {
      const p = 1 / (1 + Math.exp(-strength * (label - 0.5) - rng.normal()));
      return [1 - p, p] as const;
    }),
    thresholds: [0.5],
  });
  const task = { kind: "binary", classes: ["no", "yes"] } as const;
  const models = [noisy(4), noisy(4), noisy(0)];
  const compare = (people: readonly string[]): Comparison[] => {
    const { contenders, cases } = contestOfClassifiers(task, people, labels, models);
    return compareContenders(contenders, cases, { rng: createRng(1n), nResamples: 300 });
  };
  const rows = compare(patients);

  it("gives every pair in every metric, AUROC by DeLong and accuracy by McNemar", () => {
    const aurocs = rows.filter(({ metric }) => metric === "auroc");
    expect(aurocs.map(({ first, second }) => [first, second])).toEqual([
      [0, 1],
      [0, 2],
      [1, 2],
    ]);
    expect(aurocs.every(({ method }) => method === "delong")).toBe(true);
    expect(rows.find(({ metric }) => metric === "accuracy")?.method).toBe("mcnemar");
    const scores = models.map(({ probabilities }) => probabilities.map(([, p]) => p));
    const test = delongTest(labels, scores[0] ?? [], scores[2] ?? []);
    expect(aurocs[1]?.pValue).toBe(test?.pValue);
    expect(aurocs[1]?.difference).toBeCloseTo(test?.difference ?? Number.NaN, 12);
  });

  it("finds the model that knows nothing and not a difference between the two good ones", () => {
    for (const metric of ["auroc", "averagePrecision", "balancedAccuracy", "brier"]) {
      const [alike, other] = rows.filter((row) => row.metric === metric);
      expect(alike?.adjustedP).toBeGreaterThan(0.05);
      expect(other?.adjustedP).toBeLessThan(0.05);
      expect(other?.adjustedP).toBeGreaterThanOrEqual(other?.pValue ?? Number.NaN);
    }
  });

  it("uses the patient bootstrap alone where patients have several cases", () => {
    const several = compare(patients.map((_, i) => `p${i >> 1}`));
    expect(new Set(several.map(({ method }) => method))).toEqual(new Set(["paired-bootstrap"]));
  });

  it("sees no difference between a model and itself", () => {
    const [model = noisy(1)] = models;
    const { contenders, cases } = contestOfClassifiers(task, patients, labels, [model, model]);
    for (const row of compareContenders(contenders, cases, { rng: createRng(1n), nResamples: 50 })) {
      expect(row).toMatchObject({ difference: 0, pValue: 1, adjustedP: 1 });
    }
  });

  it("refuses one model, and none", () => {
    const { contenders, cases } = contestOfClassifiers(task, patients, labels, models.slice(1, 2));
    expect(() => compareContenders(contenders, cases, { rng: createRng(1n) })).toThrow("1 models on 120 cases");
  });
});

describe("classifiers whose cases have thresholds of their own", () => {
  const patients = ["a", "b", "c", "d"];
  const pair = (p: number) => [1 - p, p];
  const positive = [0.1, 0.4, 0.3, 0.9];
  const labels = [0, 0, 1, 1];

  it("decide each case by its own, and rank all by what was said", () => {
    const task = { kind: "binary", classes: ["n", "p"] } as const;
    const own = [[0.5], [0.5], [0.2], [0.5]];
    const model = { probabilities: positive.map(pair), thresholds: [0.5], thresholdsOfCases: own };
    const { contenders } = contestOfClassifiers(task, patients, labels, [
      model,
      { ...model, thresholdsOfCases: [[0.5], [0.5], [0.5], [0.5]] },
    ]);
    const [first, second] = contenders.map(({ statistics }) => statistics(new Float64Array(4).fill(1)));
    expect([first?.accuracy, second?.accuracy]).toEqual([1, 0.75]);
    expect([first?.auroc, first?.brier]).toEqual([second?.auroc, second?.brier]);
    expect(first?.auroc).toBe(0.75);
    expect(contenders[0]?.isRight).toEqual([true, true, true, true]);
  });

  it("decide each label of a multi-label case by its own", () => {
    const task = { kind: "multi-label", classes: ["x", "y"] } as const;
    const model = {
      probabilities: positive.map(pair),
      thresholds: [0.5, 0.5],
      thresholdsOfCases: [[0.5, 0.5], [0.5, 0.5], [0.8, 0.2], [0.5, 0.5]], // biome-ignore format: a row
    };
    const truths = labels.map((label) => [1 - label, label]);
    const { contenders } = contestOfClassifiers(task, patients, truths, [model, model]);
    expect(contenders[0]?.statistics(new Float64Array(4).fill(1)).exactMatch).toBe(1);
  });
});

describe("comparing other tasks", () => {
  const rng = createRng(12n);
  const truth = Array.from({ length: 80 }, () => rng.normal());
  const patients = truth.map((_, i) => `p${i}`);
  const [near, far] = [0.3, 2].map((spread) => truth.map((value) => value + spread * rng.normal()));
  const options = { rng: createRng(1n), nResamples: 200 };

  it("tells numbers apart by their errors", () => {
    const { contenders, cases } = contestOfNumbers(patients, truth, [near ?? [], far ?? []]);
    const mae = compareContenders(contenders, cases, options).find(({ metric }) => metric === "mae");
    expect(mae?.difference).toBeLessThan(0);
    // No resample on the other side: the least p value that 200 resamples can give.
    expect(mae?.pValue).toBeCloseTo(2 / 201, 12);
  });

  it("tells risks apart by concordance", () => {
    const outcomes = { times: truth.map((value) => Math.exp(-value)), events: truth.map(() => 1) };
    const { contenders, cases } = contestOfRisks(patients, outcomes, [near ?? [], far ?? []]);
    const [row] = compareContenders(contenders, cases, options);
    expect(row?.metric).toBe("cIndex");
    expect(row?.interval?.low).toBeGreaterThan(0);
  });

  it("takes ordered, nominal and multi-label classes", () => {
    const labels = truth.map((value) => (value < -0.5 ? 0 : value < 0.5 ? 1 : 2));
    const sharp = labels.map((label) => [0, 1, 2].map((c) => (c === label ? 0.8 : 0.1)));
    const flat = labels.map(() => [0.2, 0.3, 0.5]);
    const models = [sharp, flat].map((probabilities) => ({ probabilities, thresholds: [] }));
    const classes = ["a", "b", "c"];
    for (const kind of ["multi-class", "ordinal"] as const) {
      const { contenders, cases } = contestOfClassifiers({ kind, classes }, patients, labels, models);
      const metrics = compareContenders(contenders, cases, options);
      expect(metrics.find(({ metric }) => metric === "accuracy")?.pValue).toBeLessThan(1e-6);
      expect(metrics.some(({ metric }) => metric === "quadraticKappa")).toBe(kind === "ordinal");
    }
    const vectors = labels.map((label) => [0, 1, 2].map((c) => (c === 2 && label === 0 ? null : Number(c === label))));
    const thresholds = [0.5, 0.5, 0.5];
    const { contenders, cases } = contestOfClassifiers(
      { kind: "multi-label", classes },
      patients,
      vectors,
      models.map(({ probabilities }) => ({ probabilities, thresholds })),
    );
    const rows = compareContenders(contenders, cases, options);
    expect(rows.find(({ metric }) => metric === "macroAuroc")?.difference).toBeCloseTo(0.5, 12);
    expect(rows.find(({ metric }) => metric === "exactMatch")?.method).toBe("mcnemar");
  });
});
