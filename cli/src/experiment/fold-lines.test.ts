import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { type FoldLine, viewFoldLine } from "./fold-lines.ts";

const LINE: FoldLine = { repeat: 1, fold: 2, bag: "projects/p/bags/b", patient: "p1" };

describe("a line of a cross-validation's predictions", () => {
  it("says how far it may be trusted", () => {
    const { view, prediction } = viewFoldLine({
      ...LINE,
      ...{ decision: "tumour", probability_normal: 0.25, probability_tumour: 0.75, threshold_tumour: 0.5 },
      ...{ calibrated_normal: 0.375, calibrated_tumour: 0.625, prediction_set: "normal;tumour", absent_set: "" },
      ...{ coverage: 0.9, typicality_distance: 2.5, typicality_percentile: 99.5, is_unlike: true },
    });
    expect(view).toMatchObject({
      probabilities: { normal: 0.25, tumour: 0.75 },
      ...{ decision: "tumour", threshold: 0.5, coverage: 0.9, set: ["normal", "tumour"] },
      calibrated: { normal: 0.375, tumour: 0.625 },
      typicality: { distance: 2.5, percentile: 99.5, unlike: true },
    });
    expect(prediction.predictionSet).toMatchObject({ labels: ["normal", "tumour"], coverage: 0.9 });
  });

  it("tells an empty set from none, and knows intervals", () => {
    const numbers = { probability_a: 1, value_age: 60, lower_age: 42, upper_age: 78, coverage: 0.9 };
    expect(viewFoldLine({ ...LINE, ...numbers, prediction_set: "" }).view.set).toEqual([]);
    const none = viewFoldLine({ ...LINE, ...numbers, prediction_set: null, typicality_percentile: null }).view;
    expect(none).not.toHaveProperty("set");
    expect(none).not.toHaveProperty("typicality");
    expect(none).toMatchObject({ values: { age: 60 }, intervals: { age: [42, 78] }, coverage: 0.9 });
  });

  it("says which part had the slide, where the model does", () => {
    const numbers = { probability_a: 1, probability_b: 0 };
    const seenOf = (seen: string | null) => viewFoldLine({ ...LINE, ...numbers, seen });
    expect(seenOf("neither").view.seen).toBe("neither");
    expect(seenOf("training").prediction.seen).toBe(commonV1.Prediction_Seen.SEEN_TRAINING);
    for (const none of [null, "", "SEEN_TRAINING"]) expect(seenOf(none).view).not.toHaveProperty("seen");
  });

  it("says nothing that the model did not", () => {
    const { view } = viewFoldLine({ ...LINE, probability_a: 0.5, probability_b: 0.5, calibrated_a: null });
    expect(view).toEqual({ probabilities: { a: 0.5, b: 0.5 }, decision: "", threshold: null });
  });

  it("keeps the model's order of classes that look like whole numbers", () => {
    const numbers = { "probability_-1": 0.25, probability_1: 0.75, threshold_1: 0.5, "value_0.5": 1, value_0: 2 };
    const { prediction } = viewFoldLine({ ...LINE, ...numbers });
    expect(prediction.probabilities.map(({ label }) => label)).toEqual(["-1", "1"]);
    expect(prediction.values.map(({ label }) => label)).toEqual(["0.5", "0"]);
  });

  it("names several decided classes as the truth of a table does", () => {
    expect(viewFoldLine({ ...LINE, decision: "a;b" }).view.decision).toBe("a; b");
  });
});
