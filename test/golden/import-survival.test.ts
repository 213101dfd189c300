import { answerFromLogits } from "@parfocal/models";
import { type CheckpointImport, importCheckpoint } from "@parfocal/training";
import { describe, expect, it } from "vitest";
import { encodeTorchFile } from "../lib/torch-file.ts";
import { checkpointOf, encoderShapes, PLAIN_POOLING, runImported } from "./r2t-checkpoint.ts";

const checkpoint = checkpointOf({ ...encoderShapes(), ...PLAIN_POOLING });
const SETTINGS = { n_heads: "2", crmsa_heads: "2", task: "survival", bins: "0,12,24.5,60" };

function read(settings: CheckpointImport["settings"], task?: CheckpointImport["task"]) {
  return importCheckpoint({ bytes: encodeTorchFile(checkpoint), settings, ...(task && { task }) });
}

describe("an R2T checkpoint of survival", () => {
  it("predicts what the program's formulas give in PyTorch, in f64", () => {
    const { logits } = runImported(checkpoint, SETTINGS, 70);
    // f32 through two blocks of attention.
    for (const [b, value] of [2.01378313, -2.52178111, 0.5082485].entries()) expect(logits[b]).toBeCloseTo(value, 4);
    const survival = answerFromLogits(read(SETTINGS).model.config.task, logits);
    expect(survival).toHaveLength(3);
    for (const [b, value] of [0.11776336, 0.10900821, 0.04094394].entries()) expect(survival[b]).toBeCloseTo(value, 5);
  });

  it("is a native survival model of the intervals that are told, by the defaults of the program's survival script", () => {
    const { model, settings } = read(SETTINGS);
    expect(model.config).toMatchObject({
      task: { kind: "survival", classes: [], link: "sigmoid", edges: [0, 12, 24.5, 60] },
      reembed: { kind: "r2t", regionNum: 16 },
      head: { attentionActivation: "relu" },
    });
    expect(settings).toContainEqual({ name: "bins", value: "0,12,24.5,60", isDefault: false });
    expect(settings).toContainEqual({ name: "region_num", value: "16", isDefault: true });
    expect(read(SETTINGS, { kind: "survival", classes: [] }).model.config.task.kind).toBe("survival");
  });

  it.each([
    [{ bins: "0,12,24" }, 'setting bins is "0,12,24"; it must be 4 times that ascend from 0'],
    [{ bins: "1,12,24,60" }, "it must be 4 times that ascend from 0"],
    [{ bins: "0,24,12,60" }, "it must be 4 times that ascend from 0"],
    [{ bins: "0,x,12,60" }, "it must be 4 times that ascend from 0"],
    [{ bins: "" }, "the edges of the checkpoint's 3 intervals"],
    [{ task: "cox" }, 'setting task is "cox"; it must be survival'],
  ])("is refused with %j", (change, message) => {
    expect(() => read({ ...SETTINGS, ...change })).toThrow(message);
  });

  it("is refused with intervals alone, and with a task that contradicts", () => {
    expect(() => read({ bins: "0,12,24,60" })).toThrow("it must be left out without task=survival");
    expect(() => read(SETTINGS, { kind: "multiclass", classes: ["a", "b", "c"] })).toThrow("the task is multiclass");
    expect(() => read({}, { kind: "survival", classes: [] })).toThrow("survival is told by the settings");
  });
});
