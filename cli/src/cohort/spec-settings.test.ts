import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { UsageError } from "../exit-codes.ts";
import { applySettings, applyTaskSettings, settingsOf } from "./spec-settings.ts";
import { createTrainingSpec } from "./training-spec.ts";

const R2T = createTrainingSpec({ reembed: "r2t", head: "abmil" });

describe("single values of a specification", () => {
  it("are set by name in any spelling, each to its type", () => {
    const { architecture, recipe, split, threshold } = applySettings(R2T, [
      "reembed.heads=4",
      "reembed.crmsa-mlp=true",
      "reembed.stem_dropout=0.5",
      "reembed.compat=corrected",
      "head.attentionWidth=64",
      "head.branches=per-class",
      "head.trunk.hidden=64,32",
      "standardise=true",
      "recipe.optimiser.kind=adam",
      "recipe.optimiser.learning-rate=3e-4",
      "recipe.seed=18446744073709551615",
      "split.testFraction=0",
      "threshold.kind=fixed",
    ]);
    expect(architecture?.reembedder?.kind).toMatchObject({
      $case: "r2t",
      value: { heads: 4, crmsaMlp: true, stemDropout: 0.5, compat: commonV1.R2tReembedder_Compat.COMPAT_CORRECTED },
    });
    const branches = commonV1.AbmilHead_Branches.BRANCHES_PER_CLASS;
    expect(architecture?.head).toMatchObject({
      trunk: { hidden: [64, 32] },
      kind: { value: { attentionWidth: 64, branches } },
    });
    expect(architecture?.standardise).toBe(true);
    expect(recipe?.optimiser).toMatchObject({ kind: commonV1.Optimiser_Kind.KIND_ADAM, learningRate: 3e-4 });
    expect(recipe?.seed).toBe(18446744073709551615n);
    expect(split).toMatchObject({ testFraction: 0 });
    expect(threshold?.kind).toBe(commonV1.ThresholdRule_Kind.KIND_FIXED);
  });

  it("win over options, the later over the earlier", () => {
    const set = ["recipe.epochs=7", "recipe.epochs=8"];
    expect(createTrainingSpec({ epochs: 3, set }).recipe?.epochs).toBe(8);
  });

  it("empty a list and leave a group out with none", () => {
    const base = createTrainingSpec({ earlyStopping: 4 });
    const { architecture, recipe } = applySettings(base, ["head.trunk.hidden=none", "recipe.early-stopping=none"]);
    expect(architecture?.head?.trunk?.hidden).toEqual([]);
    expect(recipe?.earlyStopping).toBeUndefined();
  });

  it.each([
    ["reembed.head=4", /no reembed\.head; there are reembed\.compat, .*reembed\.heads/],
    ["head.width=4", /no head\.width; there are head\.attentionWidth/],
    ["recipe.optimizer.kind=adam", /there are recipe\.epochs, .*recipe\.optimiser\.kind/],
    ["model.heads=4", /there are reembed\.…, head\.…/],
    ["reembed.heads", /not name=value/],
    ["reembed.heads=four", /a whole number from -2147483648 to 2147483647/],
    ["reembed.heads=4.5", /a whole number/],
    ["reembed.heads=99999999999", /a whole number/],
    ["recipe.seed=-1", /a whole number from 0/],
    ["reembed.dropout=", /a number/],
    ["reembed.crmsa=yes", /true or false/],
    ["reembed.compat=fixed", /one of reference, corrected/],
    ["recipe.optimiser=adam", /a group of values/],
  ])("are refused: %s", (setting, message) => {
    expect(() => applySettings(R2T, [setting])).toThrow(message);
    expect(() => applySettings(R2T, [setting])).toThrow(UsageError);
  });

  it("of a re-embedder need one", () => {
    expect(() => applySettings(createTrainingSpec({}), ["reembed.heads=4"])).toThrow("give one by --reembed");
  });

  it("are shown under the names that set them", () => {
    const spec = applySettings(R2T, ["reembed.heads=4", "head.trunk.hidden=64,32", "reembed.crmsa-mlp=false"]);
    const shown = settingsOf(spec);
    expect(Object.fromEntries(shown)).toMatchObject({
      "reembed.heads": "4",
      "reembed.crmsaMlp": "false",
      "head.gated": "false",
      "head.trunk.hidden": "64,32",
    });
    const again = applySettings(
      spec,
      shown.filter(([, value]) => value !== "default").map(([path, value]) => `${path}=${value}`),
    );
    expect(again).toEqual(spec);
  });
});

describe("applyTaskSettings", () => {
  const { KIND_BINARY, KIND_SURVIVAL } = commonV1.Task_Kind;

  it("sets the options of the task and leaves the rest to the specification", () => {
    const task = commonV1.Task.fromPartial({ kind: KIND_SURVIVAL });
    const settings = ["task.survival.loss=cross-entropy", "task.survival.edges=0,12,24", "recipe.epochs=3"];
    expect(applyTaskSettings(task, settings)).toMatchObject({
      kind: KIND_SURVIVAL,
      survival: { loss: commonV1.SurvivalOptions_Loss.LOSS_CROSS_ENTROPY, edges: [0, 12, 24] },
    });
    expect(applySettings(commonV1.TrainingSpec.fromPartial({}), settings)).toMatchObject({ recipe: { epochs: 3 } });
  });

  it("refuses options of other tasks, and names that are none", () => {
    const task = commonV1.Task.fromPartial({ kind: KIND_BINARY });
    expect(() => applyTaskSettings(task, ["task.survival.bins=3"])).toThrow("the task is binary");
    expect(() => applyTaskSettings({ ...task, kind: KIND_SURVIVAL }, ["task.survival.bin=3"])).toThrow(
      "there is no task.survival.bin; there are task.",
    );
  });
});
