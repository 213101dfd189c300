import { describe, expect, it } from "vitest";
import { evaluate } from "./evaluate.ts";
import type { CasePrediction, EvaluationTask } from "./evaluation-types.ts";
import { createRng } from "./rng.ts";

const BINARY: EvaluationTask = { kind: "binary", classes: ["normal", "tumour"] };
const LABELS = [0, 0, 0, 0, 1, 1, 1, 1, 0, 1];
const SCORES = [0.1, 0.4, 0.35, 0.4, 0.4, 0.8, 0.65, 0.35, 0.2, 0.9];
const CASES: CasePrediction[] = LABELS.map((label, i) => ({
  patient: `p${i}`,
  label,
  probabilities: [SCORES[i] ?? 0],
}));
const options = (seed = 1n) => ({ rng: createRng(seed), nResamples: 200 });

describe("evaluate, binary", () => {
  it("reports the parity values with DeLong and Wilson intervals", () => {
    const report = evaluate(BINARY, CASES, options());
    expect(report.metrics.auroc?.value).toBeCloseTo(0.86, 8);
    expect(report.metrics.auroc?.interval?.method).toBe("delong-logit");
    expect(report.metrics.auroc?.interval?.low).toBeCloseTo(0.46890283, 8);
    expect(report.metrics.accuracy?.interval?.method).toBe("wilson");
    expect(report.metrics.balancedAccuracy?.interval?.method).toBe("patient-bootstrap");
    expect(report.metrics.f1?.value).toBeCloseTo(0.75, 8);
    expect(report.metrics.ece?.interval).toBeNull();
    expect(report.confusion).toEqual([
      [5, 0],
      [2, 3],
    ]);
    expect(report).toMatchObject({ nCases: 10, nPatients: 10, thresholds: [0.5], areCasesIndependent: true });
    expect(report.classes[0]).toMatchObject({ name: "tumour", nPositives: 5, nNegatives: 5 });
  });

  it("is the same for the same seed, survives JSON, and brackets each value", () => {
    const report = evaluate(BINARY, CASES, options());
    expect(JSON.parse(JSON.stringify(evaluate(BINARY, CASES, options())))).toEqual(report);
    for (const estimate of Object.values(report.metrics)) {
      if (estimate.interval === null) continue;
      expect(estimate.interval.low).toBeLessThanOrEqual(estimate.value ?? Number.NaN);
      expect(estimate.interval.high).toBeGreaterThanOrEqual(estimate.value ?? Number.NaN);
    }
  });

  it("falls back to the patient bootstrap where a patient has two slides", () => {
    const paired = CASES.map((each, i) => ({ ...each, patient: `p${Math.floor(i / 2)}` }));
    const report = evaluate(BINARY, paired, options());
    expect(report.areCasesIndependent).toBe(false);
    expect(report.nPatients).toBe(5);
    expect(report.metrics.auroc?.interval?.method).toBe("patient-bootstrap");
    expect(report.metrics.accuracy?.interval?.method).toBe("patient-bootstrap");
  });

  it("leaves out and counts unlabelled cases and failed predictions", () => {
    const extra: CasePrediction[] = [
      { patient: "x", label: null, probabilities: [0.3] },
      { patient: "y", label: 1, probabilities: null },
      { patient: "z", label: null, probabilities: null },
    ];
    const report = evaluate(BINARY, [...CASES, ...extra], options());
    expect(report.excluded).toEqual({ unlabelled: 1, failed: 2 });
    expect(report.metrics).toEqual(evaluate(BINARY, CASES, options()).metrics);
  });

  it("takes two-column probabilities and another threshold", () => {
    const twoColumns = CASES.map((each, i) => ({ ...each, probabilities: [1 - (SCORES[i] ?? 0), SCORES[i] ?? 0] }));
    const report = evaluate(BINARY, twoColumns, { ...options(), thresholds: [0.35] });
    expect(report.metrics.sensitivity?.value).toBe(1);
    expect(report.metrics.specificity?.value).toBeCloseTo(0.4, 12);
  });

  it("gives null, not a number, for what one class cannot define", () => {
    const report = evaluate(
      BINARY,
      CASES.filter(({ label }) => label === 1),
      options(),
    );
    expect(report.metrics.auroc).toEqual({ value: null, interval: null });
    expect(report.metrics.specificity?.value).toBeNull();
    expect(report.metrics.accuracy?.value).toBeCloseTo(0.6, 12);
    expect(report.classes[0]?.roc).toBeNull();
  });

  it("uses the bootstrap at AUROC 1, where the logit has no value", () => {
    const perfect = CASES.map((each) => ({ ...each, probabilities: [each.label === 1 ? 0.9 : 0.1] }));
    expect(evaluate(BINARY, perfect, options()).metrics.auroc).toEqual({
      value: 1,
      interval: { low: 1, high: 1, method: "patient-bootstrap" },
    });
  });

  it("refuses bad input by value and bound", () => {
    const withRow = (probabilities: number[]) => () =>
      evaluate(BINARY, [{ patient: "p", label: 1, probabilities }], options());
    expect(withRow([1.5])).toThrow("row 0 has a probability of 1.5; it must lie in [0, 1]");
    expect(withRow([Number.NaN])).toThrow("must be finite");
    expect(withRow([0.2, 0.3, 0.5])).toThrow("row 0 has 3 probabilities; it must have 2");
    expect(() => evaluate(BINARY, CASES, { ...options(), thresholds: [0.1, 0.2] })).toThrow(
      "2 thresholds for a binary task; it takes 1",
    );
    expect(() => evaluate(BINARY, [{ patient: "p", label: null, probabilities: [0.1] }], options())).toThrow(
      "none of 1 predictions can be evaluated (0 failed, the rest unlabelled); at least 1 is needed",
    );
  });
});

describe("evaluate, multi-class", () => {
  const task: EvaluationTask = { kind: "multi-class", classes: ["a", "b", "c"] };
  const rows = [
    [0.6, 0.3, 0.1],
    [0.3, 0.4, 0.3],
    [0.2, 0.2, 0.6],
    [0.4, 0.5, 0.1],
    [0.5, 0.3, 0.2],
    [0.1, 0.3, 0.6],
    [0.3, 0.4, 0.3],
    [0.2, 0.7, 0.1],
  ];
  const cases = [0, 1, 2, 0, 1, 2, 2, 1].map((label, i) => ({ patient: `p${i}`, label, probabilities: rows[i] ?? [] }));

  it("reports the parity values, each class against the rest, and the redraws", () => {
    const report = evaluate(task, cases, options());
    expect(report.metrics.macroAuroc?.value).toBeCloseTo(0.86111111, 8);
    expect(report.metrics.weightedAuroc?.value).toBeCloseTo(0.85416667, 8);
    expect(report.metrics.macroF1?.value).toBeCloseTo(0.62380952, 8);
    expect(report.metrics.accuracy).toMatchObject({ value: 0.625, interval: { method: "wilson" } });
    expect(report.classes.map(({ metrics }) => metrics.auroc?.value)).toEqual([
      expect.closeTo(0.91666667, 8),
      expect.closeTo(0.7, 8),
      expect.closeTo(0.96666667, 8),
    ]);
    expect(report.classes[1]?.metrics.auroc?.interval?.method).toBe("delong-logit");
    expect(report.bootstrap.nRedraws).toBeGreaterThan(0);
    expect(report.thresholds).toEqual([]);
  });

  it("refuses a vector label", () => {
    expect(() => evaluate(task, [{ patient: "p", label: [1, 0, 0], probabilities: [1, 0, 0] }], options())).toThrow(
      "label 0 has 3 entries; this task has one class per case",
    );
  });
});

describe("evaluate, multi-label", () => {
  const task: EvaluationTask = { kind: "multi-label", classes: ["ER", "PR"] };
  const cases: CasePrediction[] = LABELS.map((label, i) => ({
    patient: `p${i}`,
    label: [label, i === 3 ? null : 1 - label],
    probabilities: [SCORES[i] ?? 0, 1 - (SCORES[i] ?? 0)],
  }));

  it("evaluates each label where it is known and averages", () => {
    const report = evaluate(task, cases, options());
    expect(report.classes[0]?.metrics.auroc?.value).toBeCloseTo(0.86, 8);
    expect(report.classes[1]).toMatchObject({ nPositives: 4, nNegatives: 5 });
    const aurocs = report.classes.map(({ metrics }) => metrics.auroc?.value ?? 0);
    expect(report.metrics.macroAuroc?.value).toBeCloseTo(((aurocs[0] ?? 0) + (aurocs[1] ?? 0)) / 2, 12);
    expect(report.metrics.exactMatch?.interval?.method).toBe("wilson");
    expect(report.confusion).toBeNull();
    expect(report.thresholds).toEqual([0.5, 0.5]);
  });

  it("keeps a label without a single known truth, empty", () => {
    const unknown = cases.map((each) => ({ ...each, label: [1, null] }));
    const report = evaluate(
      task,
      [...unknown, { patient: "q", label: [0, null], probabilities: [0.2, 0.2] }],
      options(),
    );
    expect(report.classes[1]).toEqual({ name: "PR", nPositives: 0, nNegatives: 0, metrics: {}, roc: null, pr: null });
  });

  describe("F1 over labels", () => {
    /** Two labels decided perfectly, and a third with the truth and probability of each case given. */
    const withThird = (third: number | null, probability: number): CasePrediction[] =>
      [
        [1, 0],
        [0, 1],
        [1, 1],
        [0, 0],
      ].map((row, i) => ({
        patient: `p${i}`,
        label: [...row, third],
        probabilities: [...row.map((label) => (label === 1 ? 0.9 : 0.1)), probability],
      }));
    const three: EvaluationTask = { kind: "multi-label", classes: ["a", "b", "c"] };
    const evaluated = (third: number | null, probability: number) =>
      evaluate(three, withThird(third, probability), options());

    it.each([
      ["nobody knows", null, 0.1, undefined],
      ["nobody knows but the model predicts", null, 0.9, undefined],
      ["neither occurs nor is predicted", 0, 0.1, 0],
    ])("leaves a label out of the mean that %s", (_, third, probability, ownF1) => {
      const { metrics, classes } = evaluated(third, probability);
      expect(metrics.macroF1).toEqual({ value: 1, interval: { low: 1, high: 1, method: "patient-bootstrap" } });
      expect(metrics.microF1?.value).toBe(1);
      expect(classes[2]?.metrics.f1?.value).toBe(ownF1);
    });

    it("counts a label that is predicted and never occurs as 0", () => {
      expect(evaluated(0, 0.9).metrics.macroF1?.value).toBeCloseTo(2 / 3, 12);
    });

    it("is null over labels and 0 by pooled counts where no label occurs or is predicted", () => {
      const absent = withThird(0, 0.1).map((each) => ({ ...each, label: [0, 0, 0], probabilities: [0.1, 0.1, 0.1] }));
      const { macroF1, microF1 } = evaluate(three, absent, options()).metrics;
      expect([macroF1, microF1?.value]).toEqual([{ value: null, interval: null }, 0]);
    });
  });

  it("refuses a label vector of the wrong length", () => {
    expect(() => evaluate(task, [{ patient: "p", label: [1], probabilities: [0.5, 0.5] }], options())).toThrow(
      "a multi-label truth has 1 entries; it must have 2",
    );
  });
});
