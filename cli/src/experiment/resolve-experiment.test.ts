import { resolveTrainingSpec } from "@parfocal/service-aggregate/resolve-spec";
import { describe, expect, it } from "vitest";
import { HEADS, REEMBEDDERS } from "../cohort/architecture-options.ts";
import { checkValues } from "./check-values.ts";
import { encodeExperiment } from "./encode-experiment.ts";
import { fillDefaults } from "./fill-defaults.ts";
import { parseExperiment } from "./parse-experiment.ts";
import { ExperimentError } from "./problem.ts";
import { experimentDigest, resolveExperiment } from "./resolve-experiment.ts";
import { specFromExperiment, taskFromExperiment } from "./spec-from-experiment.ts";

const ROWS = ["normal", "tumour"].map((label, i) => ({ line: i + 2, labels: [label], unknownLabels: [] }));
const FACTS = { configSha256: "c", dataSha256: "d", models: ["m"], version: "1" };

const NO_CLASSES = { line: 2, labels: [], unknownLabels: [] };
const NUMBERS = [{ ...NO_CLASSES, values: { age: 60 } }];
const EVENTS = [{ ...NO_CLASSES, survival: { time: 3, event: true } }];

function run(text: string, file: string, rows: Parameters<typeof taskFromExperiment>[1] = ROWS, nFolds?: number) {
  const parsed = parseExperiment(text, file);
  checkValues(parsed, resolveTrainingSpec);
  const { experiment } = parsed;
  const open = specFromExperiment(experiment, experiment.seeds[0] ?? 0n);
  open.task = taskFromExperiment(experiment, rows);
  const spec = fillDefaults(open, resolveTrainingSpec);
  const resolved = resolveExperiment(experiment, { spec, ...(nFolds !== undefined && { nFolds }) });
  return {
    open,
    spec,
    resolved,
    digest: experimentDigest(resolved, spec),
    text: encodeExperiment(resolved, "/out", FACTS),
  };
}

const fileOf = (model: string, more = "") =>
  `name: a\ndata: {labels: l.csv, files: [tiles]}\nmodel: ${model}\nseeds: [3, 18446744073709551615]\n${more}`;

const MODELS = [
  ...HEADS.map((kind) => `{head: {kind: ${kind}}}`),
  ...REEMBEDDERS.map((kind) => `{reembed: {kind: ${kind}${kind === "levels" ? ", levels: [0]" : ""}}}`),
  "{head: {kind: dsmil, trunk: {hidden: [32]}}, reembed: {kind: r2t, stem_is_linear: true}}",
];

describe("a resolved experiment", () => {
  it.each(MODELS)("of the model %s is what ran, and run again it is the same", (model) => {
    const first = run(fileOf(model), "/study/exp.yaml");
    // Every default that was written out is the one that training takes by itself.
    expect(resolveTrainingSpec(first.spec)).toEqual(resolveTrainingSpec(first.open));
    const second = run(first.text, "/out/experiment.yaml");
    expect(second.spec).toEqual(first.spec);
    expect([second.digest, second.text]).toEqual([first.digest, first.text]);
    expect(second.resolved.data).toEqual({ labels: "/study/l.csv", files: ["/study/tiles"] });
  });

  it.each([
    "recipe: {early_stopping: {patience: 4, metric: loss}, schedule: {kind: plateau}, optimiser: {kind: sgd}}",
    "threshold: {kind: sensitivity, value: 0.9}\ngroups: {kind: min-loss, negatives: mean}",
    "split: {validation_fraction: 0.2, test_fraction: 0, folds: 10, repeats: 3}",
  ])("keeps %s", (more) => {
    const first = run(fileOf("{}", more), "/study/exp.yaml");
    const second = run(first.text, "/out/experiment.yaml");
    expect(second.spec).toEqual(first.spec);
    expect(second.text).toBe(first.text);
  });

  it.each(["fold_column: f", "splits: [/study/a.csv, /study/b.csv]"])(
    "keeps the folds of %s, and asks for none",
    (data) => {
      const first = run(`name: a\ndata: {labels: l.csv, label_column: [A, B], ${data}}\n`, "/out/exp.yaml", ROWS, 3);
      expect(first.resolved.folds).toBe(3);
      expect(first.text).toContain("  label_column: A,B\n");
      expect(first.text).toContain("  test_fraction: 0.15\n  repeats: 1\n");
      const second = run(first.text, "/out/experiment.yaml", ROWS, 3);
      expect([second.text, second.digest]).toEqual([first.text, first.digest]);
      expect(second.resolved.data).toEqual(first.resolved.data);
    },
  );

  it("shows every default", () => {
    const { text } = run("name: a\ndata: {labels: l.csv}\n", "/out/exp.yaml");
    expect(text).toContain("    kind: gated-abmil\n    attention_width: 256\n    dropout: 0\n    branches: shared\n");
    expect(text).toContain("    trunk:\n      hidden: [512]\n      activation: relu\n      dropout: 0.25\n");
    expect(text).toContain("    learning_rate: 0.0001\n    weight_decay: 0.00001\n    beta1: 0.9\n    beta2: 0.999\n");
    expect(text).toContain("threshold:\n  kind: youden\n");
    expect(text).toContain("split:\n  validation_fraction: 0.15\n  test_fraction: 0.15\n  folds: 5\n  repeats: 1\n");
    expect(text).toContain("task:\n  kind: binary\n  classes: [normal, tumour]\n");
  });

  it.each([
    ["survival", "survival:\n    bins: 4\n    alpha: 0\n"],
    ["cox", "survival:\n    ties: efron\n"],
    ["regression", "regression:\n    loss: huber\n    delta: 1\n"],
  ])("shows the options of a %s task, and keeps them", (kind, options) => {
    const rows = kind === "regression" ? NUMBERS : EVENTS;
    const first = run(`name: a\ndata: {labels: l.csv}\ntask: {kind: ${kind}}\n`, "/out/exp.yaml", rows);
    expect(first.text).toContain(`task:\n  kind: ${kind}\n`);
    expect(first.text).toContain(`  ${options}`);
    const second = run(first.text, "/out/experiment.yaml", rows);
    expect([second.spec, second.digest]).toEqual([first.spec, first.digest]);
    expect(resolveTrainingSpec(first.spec)).toEqual(resolveTrainingSpec(first.open));
  });

  it("has a digest of what it does, not of names, places and order", () => {
    const digestOf = (text: string, file = "/a/exp.yaml") => run(text, file).digest;
    const plain = digestOf("name: a\ndata: {labels: l.csv}\nrecipe: {epochs: 40, batch_size: 1}\n");
    expect(digestOf("recipe: {batch_size: 1}\noutput: x\nname: b\ndata: {labels: m.csv}\n", "/b/e.yaml")).toBe(plain);
    expect(digestOf("name: a\ndata: {labels: l.csv}\nrecipe: {epochs: 41}\n")).not.toBe(plain);
    expect(digestOf("name: a\ndata: {labels: l.csv}\nseeds: [1, 2]\n")).not.toBe(plain);
  });
});

describe("values out of their bounds", () => {
  const problemsOf = (text: string, overrides: readonly string[] = []) => {
    try {
      checkValues(parseExperiment(text, "exp.yaml", overrides), resolveTrainingSpec);
    } catch (error) {
      if (error instanceof ExperimentError) return error.message.split("\n");
      throw error;
    }
    return [];
  };

  it("are told all at once, by the bounds of the service", () => {
    const text = `name: tumour
data: {labels: labels.csv}
model:
  head:
    kind: gated-abmil
    attention_width: 0
    dropout: 2
    trunk: {hidden: [512, -1], dropout: 1}
  reembed:
    kind: roformer
    heads: 7
recipe:
  epochs: 0
  optimiser: {learning_rate: 11}
split: {validation_fraction: 0.6, test_fraction: 0.6}
threshold: {kind: sensitivity, value: 2}
`;
    expect(problemsOf(text, ["recipe.batch_size=0"])).toEqual([
      "exp.yaml:6:22: model.head.attention_width is 0; it must be a whole number from 1 to 32768",
      "exp.yaml:7:14: model.head.dropout is 2; it must be a number from 0 to 0.95",
      "exp.yaml:8:27: model.head.trunk.hidden[1] is -1; it must be a whole number from 1 to 32768",
      "exp.yaml:8:41: model.head.trunk.dropout is 1; it must be a number from 0 to 0.95",
      expect.stringMatching(/^exp\.yaml:10:5: .*7 heads/) as string,
      "exp.yaml:13:11: recipe.epochs is 0; it must be a whole number from 1 to 10000",
      expect.stringMatching(/^exp\.yaml:14:30: recipe\.optimiser\.learning_rate is 11; /) as string,
      "exp.yaml:15:8: validation and test share are 1.2 together; they must leave some to train",
      expect.stringMatching(/^exp\.yaml:16:\d+: threshold\.value is 2; /) as string,
      "exp.yaml: override recipe.batch_size=0: recipe.batch_size is 0; it must be a whole number from 1 to 4096",
    ]);
  });

  it("may be made right by a preset, which is not known yet", () => {
    const model = "model: {preset: p, reembed: {kind: levels}}";
    expect(problemsOf(`name: a\ndata: {labels: l.csv}\n${model}\n`)).toEqual([]);
  });
});
