import { commonV1, gatewayV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import type { PredictionRow } from "../report/index.ts";
import { foldTable } from "./fold-table.ts";
import { measureScored, medianRisk, trainingCensoring } from "./measure-scored.ts";
import { withServiceFigures } from "./service-figures.ts";
import { trainingRun } from "./training-run.ts";

const BINARY = commonV1.Task.fromJSON({ kind: "KIND_BINARY", classes: ["a", "b"] });
const row = (extra: Partial<PredictionRow>): PredictionRow => ({
  slide: "s",
  decision: null,
  probabilities: null,
  model: "m",
  ...extra,
});
const evaluationOf = (metrics: object[], slideCount = 4) =>
  commonV1.Evaluation.fromPartial({ metrics: metrics as commonV1.Metric[], slideCount, confusion: [1, 1, 0, 2] });

/** Four slides of four patients; `p` of the class b. */
const cases = ["a", "a", "b", "b"].map((label, i) => {
  const p = [0.2, 0.6, 0.5, 0.9][i] ?? 0;
  const probabilities = [
    { label: "a", probability: 1 - p },
    { label: "b", probability: p, threshold: 0.5 },
  ];
  const prediction = commonV1.Prediction.fromPartial({ probabilities });
  return { patient: `p${i}`, truth: { labels: [label], unknownLabels: [] }, prediction, row: row({}) };
});

describe("the table of folds", () => {
  const auroc = (value: number) => ({ name: "auroc", value, lower: value - 0.1, upper: value + 0.1 });
  const fold = (index: number, value: number) => ({
    repeat: 1,
    fold: index,
    trainCount: 8,
    validationCount: 2,
    testCount: 4,
    test: evaluationOf([auroc(value)]),
  });

  it("has the figures that the task has, with intervals, of folds and of all slides", () => {
    const pooled = [
      evaluationOf([auroc(0.75), { name: "log_loss", value: 1 }, { name: "auroc", label: "b", value: 0.1 }], 8),
    ];
    const table = foldTable(
      gatewayV1.CrossValidateResponse.fromPartial({ folds: [fold(1, 0.7), fold(2, 0.8)], pooled }),
    );
    expect(table.figures).toEqual(["AUROC"]);
    expect(table.rows.map(({ name, nTest, figures }) => [name, nTest, figures[0]?.value])).toEqual([
      ["Fold 1", 4, 0.7],
      ["Fold 2", 4, 0.8],
    ]);
    expect(table.pooled).toEqual([
      { name: "All slides together", nTest: 8, figures: [{ value: 0.75, low: 0.65, high: 0.85 }] },
    ]);
  });

  it("shows whether sets hold what they promise, of folds and of all slides", () => {
    const figures = (coverage: number, size: number) => [
      { name: "auroc", value: 0.8 },
      { name: "set_coverage", value: coverage, lower: 0.5, upper: 1 },
      { name: "set_size", value: size },
      { name: "set_coverage", label: "tumour", value: 1 },
    ];
    const table = foldTable(
      gatewayV1.CrossValidateResponse.fromPartial({
        folds: [{ ...fold(1, 0.7), test: evaluationOf(figures(0.75, 1.5)) }],
        pooled: [evaluationOf(figures(0.875, 1.25), 8)],
      }),
    );
    expect(table.figures).toEqual(["AUROC", "Sets that hold the truth", "Classes in the mean set"]);
    expect(table.rows[0]?.figures.slice(1)).toEqual([{ value: 0.75, low: 0.5, high: 1 }, { value: 1.5 }]);
    expect(table.pooled[0]?.figures.slice(1)).toEqual([{ value: 0.875, low: 0.5, high: 1 }, { value: 1.25 }]);
  });

  it("has figures that folds alone can give", () => {
    const brier = { name: "integrated_brier", value: 0.2 };
    const table = foldTable(
      gatewayV1.CrossValidateResponse.fromPartial({
        folds: [{ ...fold(1, 0.7), test: evaluationOf([{ name: "c_index", value: 0.7 }, brier]) }],
        pooled: [evaluationOf([{ name: "c_index", value: 0.6 }])],
      }),
    );
    expect(table.figures).toEqual(["Concordance index (Harrell)", "Integrated Brier score (lower is better)"]);
    expect(table.rows[0]?.figures.map((each) => each?.value)).toEqual([0.7, 0.2]);
    expect(table.pooled[0]?.figures[1]).toBeNull();
  });

  it("has a column for each number of a regression", () => {
    const pooled = [
      evaluationOf([
        { name: "r2", label: "age", value: 0.5 },
        { name: "r2", label: "bmi", value: 0.25 },
      ]),
    ];
    expect(foldTable(gatewayV1.CrossValidateResponse.fromPartial({ pooled })).figures).toEqual(["age: R²", "bmi: R²"]);
  });
});

describe("figures of a cross-validation", () => {
  it("are the service's where thresholds decide by fold, with their intervals; curves stay", () => {
    const { evaluation } = measureScored(BINARY, cases, { seed: 1n });
    if (evaluation === undefined) throw new Error("nothing was measured");
    const measured = evaluationOf([
      { name: "auroc", value: evaluation.metrics.auroc?.value, lower: 0.25, upper: 1 },
      { name: "accuracy", value: 0.5, lower: 0.1, upper: 0.9 },
    ]);
    const { evaluation: merged } = withServiceFigures({ evaluation }, measured);
    expect(merged?.metrics.accuracy).toEqual({
      value: 0.5,
      interval: { low: 0.1, high: 0.9, method: "patient-bootstrap" },
    });
    expect(merged?.metrics.auroc?.interval).toEqual({
      low: 0.25,
      high: 1,
      method: evaluation.metrics.auroc?.interval?.method,
    });
    expect([merged?.confusion, merged?.thresholds]).toEqual([
      [
        [1, 1],
        [0, 2],
      ],
      [],
    ]);
    expect(merged?.classes.map(({ roc }) => roc)).toEqual(evaluation.classes.map(({ roc }) => roc));
  });
});

describe("figures of a cross-validation whose slides are put together", () => {
  it("count its cases, and name the methods of cases that are independent", () => {
    const slides = cases.map((each) => ({ ...each, patient: "p" }));
    const { evaluation } = measureScored(BINARY, [...slides, ...cases], { seed: 1n });
    const figures = ["auroc", "accuracy", "f1"].map((name) => ({ name, value: 0.75, lower: 0.5, upper: 1 }));
    const measured = { ...evaluationOf(figures, 5), patientCount: 5 };
    const { evaluation: merged } = withServiceFigures({ ...(evaluation && { evaluation }) }, measured);
    expect([merged?.nCases, merged?.nPatients, merged?.areCasesIndependent]).toEqual([5, 5, true]);
    const { auroc, accuracy, f1 } = merged?.metrics ?? {};
    expect([auroc, accuracy, f1].map((each) => each?.interval?.method)).toEqual([
      "delong-logit",
      "wilson",
      "patient-bootstrap",
    ]);
  });
});

describe("figures of a cross-validation of other tasks", () => {
  it("are the service's too, for numbers and for risks, and count its cases", () => {
    const age = commonV1.Task.fromJSON({ kind: "KIND_REGRESSION", classes: ["age"] });
    const numbers = [1, 2, 3].map((value, i) => ({
      patient: `p${i}`,
      row: row({ values: { age: value }, trueValues: { age: i + 2 } }),
    }));
    const measured = evaluationOf([{ name: "mae", label: "age", value: 1, lower: 0.125, upper: 1.875 }], 2);
    const own = withServiceFigures(measureScored(age, numbers, { seed: 1n }), measured).numbers;
    const interval = { low: 0.125, high: 1.875, method: "patient-bootstrap" };
    expect(own?.report.targets[0]?.metrics.mae).toEqual({ value: 1, interval });
    expect(own?.report.nCases).toBe(2);
    const cox = commonV1.Task.fromJSON({ kind: "KIND_COX" });
    const risks = [1, 2, 3].map((risk, i) => ({
      patient: `p${i}`,
      row: row({ risk, outcome: { time: 5 - risk, event: true } }),
    }));
    const risk = evaluationOf([{ name: "c_index", value: 1, lower: 0.125, upper: 1.875 }], 3);
    const { survival } = withServiceFigures(measureScored(cox, risks, { seed: 1n }), risk);
    expect(survival?.report.metrics.cIndex).toEqual({ value: 1, interval });
  });
});

describe("outcomes of other tasks", () => {
  it("count a patient once in curves and test, by the mean risk", () => {
    const task = commonV1.Task.fromJSON({ kind: "KIND_COX" });
    // Of a the mean is 3: above the cut, though one slide lies below.
    const slides = [
      { patient: "a", risk: 1, time: 1 },
      { patient: "a", risk: 5, time: 1 },
      { patient: "b", risk: 1.5, time: 4 },
    ].map(({ patient, risk, time }) => ({ patient, row: row({ risk, outcome: { time, event: true } }) }));
    const cut = { value: 2, name: "two" };
    const { survival } = measureScored(task, slides, { seed: 1n, cut });
    expect(survival?.groups.map(({ name, nCases, nEvents }) => [name, nCases, nEvents])).toEqual([
      ["low risk", 1, 1],
      ["high risk", 1, 1],
    ]);
    expect([survival?.isByPatient, survival?.report.nCases]).toEqual([true, 3]);
    expect(measureScored(task, slides.slice(1), { seed: 1n, cut }).survival?.isByPatient).toBe(false);
  });

  it("judge the curves of one model, in discrete time to the inner ends of its intervals", () => {
    const discrete = commonV1.Task.fromJSON({ kind: "KIND_SURVIVAL" });
    const curve = [1, 3, 9].map((time) => ({ time, survival: 0.5, hazard: 0.5 }));
    const all = [1, 2, 3, 4].map((time, i) => ({
      patient: `p${i}`,
      row: row({ risk: 5 - time, outcome: { time, event: true } }),
      prediction: commonV1.Prediction.fromPartial({ survival: { risk: 1, curve } }),
    }));
    const metricsOf = (task: commonV1.Task) => measureScored(task, all, { seed: 1n }).survival?.report.metrics;
    // One half is wrong by 1/4 at any time; Cox's last time lies behind all cases.
    expect(metricsOf(discrete)?.integratedBrier?.value).toBe(0.25);
    expect(metricsOf(commonV1.Task.fromJSON({ kind: "KIND_COX" }))?.integratedBrier?.value).toBe(0.25);
  });

  it("cut risks where they are told, else at their own median, and say so", () => {
    const task = commonV1.Task.fromJSON({ kind: "KIND_COX" });
    const risks = [1, 2, 3, 4];
    const all = risks.map((risk, i) => ({
      patient: `p${i}`,
      row: row({ risk, outcome: { time: 10 - risk, event: true } }),
    }));
    const cut = { value: 1.5, name: "the median risk of others" };
    const told = measureScored(task, all, { seed: 1n, cut }).survival;
    expect(told?.groups.map(({ name, nCases }) => [name, nCases])).toEqual([
      ["low risk", 1],
      ["high risk", 3],
    ]);
    expect([told?.cut, told?.report.metrics.cIndex?.value]).toEqual(["the median risk of others", 1]);
    const own = measureScored(task, all, { seed: 1n }).survival;
    expect(own?.groups.map(({ nCases }) => nCases)).toEqual([2, 2]);
    expect(own?.cut).toContain("flatters");
    expect([medianRisk(all.map((each) => each.row)), medianRisk([])]).toEqual([2.5, undefined]);
  });

  it("give the mean of predicted survivals beside, and say whose censoring weighs", () => {
    const task = commonV1.Task.fromJSON({ kind: "KIND_COX" });
    // Two folds with times of their own.
    const steps = [
      [{ time: 2, survival: 0.5, hazard: 0.5 }],
      [
        { time: 1, survival: 0.8, hazard: 0.2 },
        { time: 3, survival: 0.4, hazard: 0.5 },
      ],
    ];
    const all = steps.map((curve, i) => ({
      patient: `p${i}`,
      row: row({ risk: 1, outcome: { time: i + 1, event: true } }),
      prediction: commonV1.Prediction.fromPartial({ survival: { risk: 1, curve } }),
    }));
    const { groups = [], censoring, report } = measureScored(task, all, { seed: 1n }).survival ?? {};
    expect(report?.metrics).not.toHaveProperty("integratedBrier");
    expect(groups.map(({ predicted }) => predicted)).toEqual([
      [
        { time: 1, survival: 0.9 },
        { time: 2, survival: 0.65 },
        { time: 3, survival: 0.45 },
      ],
    ]);
    expect(censoring).toBe("evaluated");
    const rows = [4, 5, 4].map((time, i) => ({
      ...{ part: "train" as const, patient: i === 1 ? "b" : "a" },
      row: { line: i, slide: `s${i}`, labels: [], unknownLabels: [], survival: { time, event: false } },
      bag: gatewayV1.Bag.fromPartial({}),
    }));
    const grouped = trainingCensoring(rows, { hasGroups: true });
    // Of two patients one is censored at 4; of three slides two.
    expect([grouped?.after(4), trainingCensoring(rows, { hasGroups: false })?.after(4)]).toEqual([
      0.5,
      expect.closeTo(1 / 3, 12) as number,
    ]);
    const training = measureScored(task, all, { seed: 1n, ...(grouped && { censoring: grouped }) }).survival;
    expect(training?.censoring).toBe("training");
    expect(trainingCensoring([], { hasGroups: true })).toBeUndefined();
  });

  it("pair numbers with what is known of them", () => {
    const task = commonV1.Task.fromJSON({ kind: "KIND_REGRESSION", classes: ["age"] });
    const all = [
      [1, 1],
      [2, 3],
      [null, 4],
    ].map(([truth, value], i) => ({
      patient: `p${i}`,
      row: row({ values: { age: value ?? 0 }, trueValues: truth === null ? {} : { age: truth ?? 0 } }),
    }));
    const { numbers } = measureScored(task, all, { seed: 1n });
    expect(numbers?.points).toEqual({
      age: [
        [1, 1],
        [2, 3],
      ],
    });
    expect(numbers?.report.targets[0]).toMatchObject({ nCases: 2, metrics: { mae: { value: 0.5 } } });
  });
});

describe("the course of a training", () => {
  const history = [0.5, 0.75, 0.75].map((score, i) =>
    commonV1.EpochReport.fromPartial({
      epoch: i + 1,
      trainLoss: 1,
      validationLoss: 1 - i / 10,
      validationScore: score,
      scoreName: "c_index",
    }),
  );

  it("marks the epoch that was published: the best score, the lowest loss among equals, or the last", () => {
    expect(trainingRun({ history })).toMatchObject({ keptEpoch: 3, scoreName: "C-index" });
    expect(trainingRun({ history: history.slice(0, 2) }, { isBest: false }).keptEpoch).toBe(2);
  });
});
