import { commonV1 } from "@parfocal/protocol";
import { parseTrainSpec } from "@parfocal/training";
import { describe, expect, it } from "vitest";
import { trainSpecFromWire } from "./spec-from-wire.ts";

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

  it.each([
    [{ recipe: { layerDecay: 0 } }, "training.layerDecay is 0"],
    [{ recipe: { frozenEpochs: -1 } }, "training.frozenEpochs is -1"],
  ])("refuses %j", (json, message) => {
    expect(() => specOf(json)).toThrow(message);
  });
});
