import { buildModel } from "@parfocal/models";
import { commonV1 } from "@parfocal/protocol";
import { parseTrainSpec } from "@parfocal/training";
import { describe, expect, it } from "vitest";
import { trainSpecFromWire } from "./spec-from-wire.ts";
import { taskToWire } from "./task-wire.ts";

/** A specification as a client sends it: what is not named here is absent. */
function specOf(json: Record<string, unknown>) {
  const task = { kind: "KIND_BINARY", classes: ["no", "yes"] };
  const architecture = { head: { mean: {} } };
  return parseTrainSpec(trainSpecFromWire(commonV1.TrainingSpec.fromJSON({ task, architecture, ...json })));
}

describe("a training specification from the wire", () => {
  it("has fine-tuning off unless the client asks for it", () => {
    const spec = specOf({ recipe: {} });
    expect(spec).toMatchObject({ layerDecay: 1, frozenEpochs: 0 });
    expect(spec).not.toHaveProperty("groups");
    expect(specOf({ groups: {} })).not.toHaveProperty("groups");
  });

  it("brings step sizes by depth, frozen epochs and the rule for groups", () => {
    const recipe = { layerDecay: 0.75, frozenEpochs: 1 };
    const groups = { kind: "KIND_MIN_LOSS", negatives: "NEGATIVES_MEAN" };
    expect(specOf({ recipe, groups })).toMatchObject({
      ...recipe,
      groups: { kind: "min-loss", negatives: "mean" },
    });
    expect(specOf({ groups: { kind: "KIND_MIN_LOSS" } }).groups).toEqual({ kind: "min-loss", negatives: "min" });
  });

  it("brings optimisers, lookahead around them, and how bags are drawn", () => {
    const optimiser = { kind: "KIND_RADAM", learningRate: 2e-4, epsilon: 1e-6, lookahead: { steps: 6 } };
    expect(specOf({ recipe: { optimiser, sampling: "SAMPLING_BALANCED" } })).toMatchObject({
      optimiser: { kind: "radam", learningRate: 2e-4, epsilon: 1e-6, lookahead: { steps: 6, alpha: 0.5 } },
      sampling: "balanced",
    });
    const plain = specOf({ recipe: { optimiser: { lookahead: {} } } });
    expect(plain).toMatchObject({
      optimiser: { kind: "adamw", lookahead: { steps: 6, alpha: 0.5 } },
      sampling: "shuffle",
    });
    expect(specOf({ recipe: { optimiser: {} } }).optimiser).not.toHaveProperty("lookahead");
  });

  it("brings the objective of survival, and shows it again", () => {
    const survival = { loss: "LOSS_CROSS_ENTROPY", alpha: 0.4 };
    const { model } = specOf({ task: { kind: "KIND_SURVIVAL", survival } });
    const { task } = buildModel({ ...model, dIn: 16 }).config;
    expect(task).toMatchObject({ kind: "survival", loss: "ce", alpha: 0.4 });
    const { LOSS_CROSS_ENTROPY, LOSS_NLL } = commonV1.SurvivalOptions_Loss;
    expect(taskToWire(task).survival).toMatchObject({ loss: LOSS_CROSS_ENTROPY, alpha: 0.4 });
    const usual = buildModel({ ...specOf({ task: { kind: "KIND_SURVIVAL" } }).model, dIn: 16 }).config.task;
    expect(taskToWire(usual).survival).toMatchObject({ loss: LOSS_NLL, alpha: 0 });
  });

  it.each([
    [{ recipe: { optimiser: { lookahead: { steps: 0 } } } }, "optimiser.lookahead.steps is 0"],
    [{ recipe: { layerDecay: 0 } }, "training.layerDecay is 0"],
    [{ recipe: { frozenEpochs: -1 } }, "training.frozenEpochs is -1"],
  ])("refuses %j", (json, message) => {
    expect(() => specOf(json)).toThrow(message);
  });
});

describe("a head from the wire", () => {
  const modelOf = (head: Record<string, unknown>) => {
    const { model } = specOf({ architecture: { head } });
    return buildModel({ ...model, dIn: 16 }).config.head;
  };

  it.each([
    [
      { clam: {} },
      { kind: "clam", branches: "single", instances: 8, instanceLoss: "svm", bagLoss: "ce", instanceWeight: 0.3 },
    ],
    [
      {
        clam: {
          branches: "BRANCHES_PER_CLASS",
          instanceLoss: "LOSS_CROSS_ENTROPY",
          bagLoss: "LOSS_SMOOTH_SVM",
          subtyping: true,
        },
      },
      { kind: "clam", branches: "per-class", instanceLoss: "ce", bagLoss: "svm", subtyping: true },
    ],
    [
      { transmil: {} },
      { kind: "transmil", hidden: [512], dropout: 0, heads: 8, landmarks: 256, attentionDropout: 0.1 },
    ],
    [{ transmil: { landmarks: 64, convTaps: 9 } }, { landmarks: 64, convTaps: 9, pinvSteps: 6 }],
    [{ dtfd: {} }, { kind: "dtfd", groups: 4, distill: "afs", attentionWidth: 128, attentionDropout: 0, splits: 5 }],
    [{ dtfd: { distill: "DISTILL_MAX_MIN", instances: 2 } }, { distill: "max-min", instances: 2 }],
  ])("%j has its fields and the defaults of the others", (head, expected) => {
    expect(modelOf(head)).toMatchObject(expected);
  });

  it.each([
    [{ clam: { instances: 0 } }, "head.instances is 0"],
    [{ transmil: { convTaps: 4 } }, "head.convTaps is 4"],
    [{ dtfd: { groups: 65 } }, "head.groups is 65"],
  ])("is refused out of its bounds: %j", (head, message) => {
    expect(() => modelOf(head)).toThrow(message);
  });
});
