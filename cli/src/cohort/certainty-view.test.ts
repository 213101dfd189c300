import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { encodePredictionsCsv } from "../report/index.ts";
import { viewCertainty } from "./certainty-view.ts";
import { predictionRowOf, viewPrediction } from "./prediction-view.ts";

const CERTAIN = commonV1.Prediction.fromPartial({
  probabilities: [
    { label: "normal", probability: 0.1, calibrated: 0.25 },
    { label: "tumour", probability: 0.9, calibrated: 0.75, threshold: 0.4 },
  ],
  decision: ["tumour"],
  predictionSet: { labels: ["normal", "tumour"], coverage: 0.9, patientCount: 40 },
  typicality: { distance: 3.1, percentile: 100, isUnlike: true, reason: "the spread is far off" },
});

describe("the certainty of a prediction", () => {
  it("shows calibrated probabilities, the set with its coverage, and an unlike slide with the reason", () => {
    expect(viewCertainty(CERTAIN)).toEqual({
      calibrated: { normal: 0.25, tumour: 0.75 },
      set: ["normal", "tumour"],
      coverage: 0.9,
      typicality: { distance: 3.1, percentile: 100, unlike: true, reason: "the spread is far off" },
    });
  });

  it("shows intervals of numbers, and nothing of a model without", () => {
    const values = [
      { label: "age", value: 60, lower: 42, upper: 78, coverage: 0.9 },
      { label: "share", value: 0.5 },
    ];
    const view = viewCertainty(commonV1.Prediction.fromPartial({ values }));
    expect(view).toEqual({ intervals: { age: [42, 78] }, coverage: 0.9 });
    expect(viewCertainty(commonV1.Prediction.fromPartial({ decision: ["tumour"] }))).toEqual({});
  });

  it("has columns of the predictions table, where a model has any", () => {
    const bag = { name: "projects/p/bags/0", info: undefined } as Parameters<typeof predictionRowOf>[0];
    const view = viewPrediction(CERTAIN, false);
    const row = predictionRowOf(bag, "m", { kind: "prediction", view }, undefined);
    const [head, line] = new TextDecoder().decode(encodePredictionsCsv([row])).split("\n");
    const cells = Object.fromEntries(
      (head ?? "")
        .trim()
        .split(",")
        .map((name, i) => [name, line?.split(",")[i]]),
    );
    expect(cells).toMatchObject({
      calibrated_tumour: "0.75",
      prediction_set: "normal; tumour",
      coverage: "0.9",
      training_percentile: "100",
    });
  });
});
