import { commonV1 } from "@parfocal/protocol";
import { resolveTrainingSpec } from "@parfocal/service-aggregate/resolve-spec";
import { describe, expect, it } from "vitest";
import { applySettings } from "../cohort/spec-settings.ts";
import { createTrainingSpec } from "../cohort/training-spec.ts";
import { checkValues } from "./check-values.ts";
import { encodeExperiment } from "./encode-experiment.ts";
import { fillDefaults } from "./fill-defaults.ts";
import { parseExperiment } from "./parse-experiment.ts";
import { resolveExperiment } from "./resolve-experiment.ts";
import { specFromExperiment, taskFromExperiment } from "./spec-from-experiment.ts";

// Optimisers, sampling and losses reach files and --set by the names of the contract: here to the end of the way, as training reads them.

const EVENTS = [{ line: 2, labels: [], unknownLabels: [], survival: { time: 3, event: true } }];

const FILE = `name: a
data: {labels: l.csv}
task: {kind: survival, survival: {loss: cross-entropy, alpha: 0.4}}
recipe:
  optimiser: {kind: radam, lookahead: {steps: 5, alpha: 0.25}}
  sampling: balanced
`;

function specOf(text: string, overrides: readonly string[] = []) {
  const parsed = parseExperiment(text, "/out/exp.yaml", overrides);
  checkValues(parsed, resolveTrainingSpec);
  const { experiment } = parsed;
  const open = specFromExperiment(experiment, 1n);
  open.task = taskFromExperiment(experiment, EVENTS);
  const spec = fillDefaults(open, resolveTrainingSpec);
  const facts = { configSha256: "c", dataSha256: "d", models: ["m"], version: "1" };
  return { spec, text: encodeExperiment(resolveExperiment(experiment, { spec }), "/out", facts) };
}

describe("a recipe and an objective", () => {
  it("of an experiment file reach training, and are shown and kept with their defaults", () => {
    const first = specOf(FILE);
    expect(resolveTrainingSpec(first.spec)).toMatchObject({
      model: { task: { kind: "survival", loss: "ce", alpha: 0.4 } },
      optimiser: { kind: "radam", epsilon: 1e-8, lookahead: { steps: 5, alpha: 0.25 } },
      sampling: "balanced",
    });
    expect(first.text).toContain("    epsilon: 1e-8\n    lookahead:\n      steps: 5\n      alpha: 0.25\n");
    expect(first.text).toContain("  sampling: balanced\n");
    expect(first.text).toContain("    alpha: 0.4\n    loss: cross-entropy\n");
    const second = specOf(first.text);
    expect([second.spec, second.text]).toEqual([first.spec, first.text]);
  });

  it("are changed one by one beside the file", () => {
    const { spec } = specOf(FILE, ["recipe.optimiser.lookahead.steps=9", "task.survival.loss=nll"]);
    expect(resolveTrainingSpec(spec)).toMatchObject({
      model: { task: { loss: "nll" } },
      optimiser: { lookahead: { steps: 9, alpha: 0.25 } },
    });
    expect(specOf("name: a\ndata: {labels: l.csv}\ntask: {kind: survival}\n").text).toContain("  sampling: shuffle\n");
  });

  it("are told when they are out of bounds, by place and name", () => {
    const wrong = FILE.replace("steps: 5", "steps: 0");
    expect(() => specOf(wrong)).toThrow(
      "exp.yaml:5:47: recipe.optimiser.lookahead.steps is 0; it must be a whole number",
    );
  });

  it("are set by --set", () => {
    const set = ["recipe.optimiser.kind=radam", "recipe.optimiser.lookahead.steps=4", "recipe.sampling=balanced"];
    const spec = applySettings(createTrainingSpec({}), set);
    const task = commonV1.Task.fromPartial({ kind: commonV1.Task_Kind.KIND_BINARY, classes: ["no", "yes"] });
    expect(resolveTrainingSpec({ ...spec, task })).toMatchObject({
      optimiser: { kind: "radam", lookahead: { steps: 4, alpha: 0.5 } },
      sampling: "balanced",
    });
    const without = applySettings(spec, ["recipe.optimiser.lookahead=none"]);
    expect(resolveTrainingSpec({ ...without, task }).optimiser).not.toHaveProperty("lookahead");
  });
});
