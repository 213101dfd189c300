import { commonV1, gatewayV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import type { Experiment } from "../experiment/experiment.ts";
import { type CardSource, experimentCard } from "./experiment-card.ts";
import { titleOf } from "./run-report.ts";

const EXPERIMENT: Experiment = {
  name: "tumour",
  data: { labels: "labels.csv", files: [] },
  folds: 2,
  repeats: 1,
  model: {},
  sections: { threshold: { kind: "youden" }, recipe: { epochs: 4 } },
  seeds: [1n],
  heatmaps: 0,
  output: "out",
};

const taskOf = (kind: string, classes: string[] = []) => commonV1.Task.fromJSON({ kind: `KIND_${kind}`, classes });

const rowsOf = (...rows: [part: AssignedRow["part"], ...labels: string[]][]): AssignedRow[] =>
  rows.map(([part, ...labels], i) => ({
    row: { line: i + 2, slide: `s${i}`, labels, unknownLabels: [] },
    bag: gatewayV1.Bag.fromPartial({ name: `b${i}` }),
    part,
    patient: `p${i}`,
  }));

const predictionOf = (...thresholds: [label: string, threshold: number][]) =>
  commonV1.Prediction.fromPartial({
    probabilities: thresholds.map(([label, threshold]) => ({ label, probability: 0.5, threshold })),
  });

const foldOf = (fold: number, trainCount: number, model = "") =>
  gatewayV1.FoldResult.fromPartial({ repeat: 1, fold, trainCount, validationCount: 7 + fold, testCount: 5, model });

const VERSION = "projects/p/models/tumour/versions/1";

const cardOf = (source: Partial<CardSource>) =>
  experimentCard({
    experiment: EXPERIMENT,
    task: taskOf("BINARY", ["neg", "pos"]),
    rows: [],
    seeds: [1n],
    configSha256: "c",
    dataSha256: "d",
    examples: [],
    ...source,
  });

const decisionOf = (source: Partial<CardSource>) =>
  Object.fromEntries(cardOf(source).decision.map(({ name, value }) => [name, value]));

describe("the model card of a cross-validation", () => {
  const examples = [predictionOf(["neg", 0.4], ["pos", 0.6]), predictionOf(["neg", 0.5], ["pos", 0.5])];

  it("tells what each fold has learnt from and by what it decides", () => {
    const folds = [foldOf(1, 30), foldOf(2, 34)];
    const card = cardOf({ rows: rowsOf(["test", "neg"]), folds, examples });
    expect(card.limitations[0]).toMatch(/^Learnt from 30 to 34 slides in each fold;/);
    expect(card.version).toContain("not kept");
    expect(decisionOf({ folds, examples })).toEqual({
      Threshold: "0.500 to 0.600, each fold by its own",
      "Chosen by":
        "largest sensitivity + specificity, on each fold's own validation slides (8 to 9) only; 0.5 where these lack a class",
    });
  });

  it("names the versions that were kept", () => {
    const folds = [1, 2].map((fold) => foldOf(fold, 30, `projects/p/models/tumour/versions/op-r1-f${fold}`));
    const { name, version } = cardOf({ folds, examples });
    expect([name, version]).toEqual(["projects/p/models/tumour", "one of each fold: op-r1-f1, op-r1-f2"]);
  });
});

describe("what a model card says of decisions", () => {
  const model = gatewayV1.Model.fromPartial({ name: VERSION });
  const examples = [predictionOf(["neg", 0.4], ["pos", 0.6])];

  it.each(["REGRESSION", "SURVIVAL", "COX"])("is nothing in tasks that decide nothing: %s", (kind) => {
    expect(cardOf({ model, task: taskOf(kind, kind === "REGRESSION" ? ["age"] : []) }).decision).toEqual([]);
  });

  it("is the rule of tasks without thresholds", () => {
    expect(decisionOf({ model, task: taskOf("MULTICLASS", ["a", "b", "c"]) }).Rule).toBe("the most probable class");
    expect(decisionOf({ model, task: taskOf("ORDINAL", ["a", "b", "c"]) }).Rule).toContain("the median class");
  });

  it("is how a threshold was chosen, or that it was not", () => {
    const chosen = (rows: AssignedRow[], experiment = EXPERIMENT) =>
      decisionOf({ model, rows, examples, experiment })["Chosen by"];
    expect(chosen(rowsOf(["validation", "neg"], ["validation", "pos"], ["train", "pos"]))).toBe(
      "largest sensitivity + specificity, on 2 validation slides only",
    );
    expect(chosen(rowsOf(["train", "pos"]))).toBe("not chosen: there are no validation slides");
    expect(chosen(rowsOf(["validation", "pos"]))).toBe("not chosen: the validation slides lack a class");
    expect(chosen(rowsOf(["train", "pos"]), { ...EXPERIMENT, sections: { threshold: { kind: "fixed" } } })).toBe(
      "given by the experiment",
    );
  });

  it("is a threshold for each label, and which were not chosen", () => {
    const decision = decisionOf({
      model,
      task: taskOf("MULTILABEL", ["KRAS", "BRAF"]),
      rows: rowsOf(["validation", "KRAS"], ["validation"]),
      examples: [predictionOf(["BRAF", 0.5], ["KRAS", 0.25])],
    });
    expect(decision.Threshold).toBe("KRAS 0.250, BRAF 0.500");
    expect(decision["Chosen by"]).toContain("; not chosen of BRAF,");
  });
});

describe("what a model card says of the recipe", () => {
  it("has the intervals or ties of survival, and the rule for slides with one label", () => {
    const experiment: Experiment = {
      ...EXPERIMENT,
      task: { kind: "cox", survival: { ties: "efron" } },
      sections: { ...EXPERIMENT.sections, groups: { kind: "max" } },
    };
    expect(cardOf({ experiment, task: taskOf("COX") }).recipe).toEqual([
      { name: "task", value: "cox" },
      { name: "survival ties", value: "efron" },
      { name: "epochs", value: "4" },
      { name: "slides with one label", value: "max: decided by the greatest of the slides' logits" },
    ]);
  });
});

describe("the title of an experiment", () => {
  it.each([
    ["BINARY", "tumour: b against a"],
    ["MULTILABEL", "tumour: a, b"],
    ["REGRESSION", "tumour: a, b"],
  ])("sets only classes against each other: %s", (kind, title) => {
    expect(titleOf({ experiment: EXPERIMENT, task: taskOf(kind, ["a", "b"]) })).toBe(title);
  });
});
