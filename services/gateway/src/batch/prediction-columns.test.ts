import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { predictionCells, predictionColumns } from "./prediction-columns.ts";

const { KIND_BINARY, KIND_MULTILABEL, KIND_REGRESSION, KIND_COX } = commonV1.Task_Kind;
const namesOf = (kind: commonV1.Task_Kind, classes: string[] = []) =>
  predictionColumns([commonV1.Task.fromPartial({ kind, classes })]).map(({ name }) => name);
const ofAll = ["typicality_distance", "typicality_percentile", "is_unlike", "seen"];

describe("columns of predictions", () => {
  it("are of what the kind of task may say", () => {
    const binary = ["decision", "probability_a", "probability_b", "threshold_b", "calibrated_a", "calibrated_b"];
    expect(namesOf(KIND_BINARY, ["a", "b"])).toEqual([...binary, "prediction_set", "coverage", ...ofAll]);
    expect(namesOf(KIND_MULTILABEL, ["a", "b"])).toEqual(expect.arrayContaining(["prediction_set", "absent_set"]));
    const numbers = ["value_age", "lower_age", "upper_age", "coverage"];
    expect(namesOf(KIND_REGRESSION, ["age"])).toEqual([...numbers, ...ofAll]);
    expect(namesOf(KIND_COX)).toEqual(["risk", "survival", ...ofAll]);
  });

  it("are in batches of before what they were", () => {
    const tasks = [commonV1.Task.fromPartial({ kind: KIND_COX })];
    const of = (plan: { readonly tellsSeen?: boolean }) => predictionColumns(tasks, plan).map(({ name }) => name);
    expect(of({})).toEqual(["risk", "survival", ...ofAll.slice(0, -1)]);
    expect(of({ tellsSeen: true })).toEqual(namesOf(KIND_COX));
  });

  it("hold calibrated probabilities, set, coverage and typicality; nothing of what was not published", () => {
    const prediction = commonV1.Prediction.fromPartial({
      probabilities: [{ label: "a", probability: 0.25, calibrated: 0.375 }],
      ...{ decision: ["a"], predictionSet: { labels: ["a", "b"], coverage: 0.9 } },
      typicality: { distance: 2.5, percentile: 99.5, isUnlike: true },
    });
    expect(predictionCells(prediction)).toMatchObject({
      ...{ calibrated_a: 0.375, prediction_set: "a;b", coverage: 0.9 },
      ...{ typicality_distance: 2.5, typicality_percentile: 99.5, is_unlike: true },
    });
    const { SEEN_NEITHER, SEEN_TRAINING, SEEN_VALIDATION } = commonV1.Prediction_Seen;
    const words = [SEEN_TRAINING, SEEN_VALIDATION, SEEN_NEITHER].map((seen) => {
      const kept: unknown = commonV1.Prediction.toJSON({ ...prediction, seen });
      return predictionCells(commonV1.Prediction.fromJSON(kept)).seen;
    });
    expect(words).toEqual(["training", "validation", "neither"]);
    const plain = predictionCells(commonV1.Prediction.fromPartial({ probabilities: [{ label: "a", probability: 1 }] }));
    expect(plain.prediction_set).toBeUndefined();
    expect(plain.coverage).toBeUndefined();
    expect(plain.is_unlike).toBeUndefined();
    expect(plain.seen).toBeUndefined();
    expect(plain.calibrated_a).toBeUndefined();
  });
});
