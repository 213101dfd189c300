import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { predictionCells, predictionColumns } from "./prediction-columns.ts";

const { KIND_BINARY, KIND_MULTILABEL, KIND_REGRESSION, KIND_COX } = commonV1.Task_Kind;
const namesOf = (kind: commonV1.Task_Kind, classes: string[] = []) =>
  predictionColumns([commonV1.Task.fromPartial({ kind, classes })]).map(({ name }) => name);
const typicality = ["typicality_distance", "typicality_percentile", "is_unlike"];

describe("columns of predictions", () => {
  it("are of what the kind of task may say", () => {
    const binary = ["decision", "probability_a", "probability_b", "threshold_b", "calibrated_a", "calibrated_b"];
    expect(namesOf(KIND_BINARY, ["a", "b"])).toEqual([...binary, "prediction_set", "coverage", ...typicality]);
    expect(namesOf(KIND_MULTILABEL, ["a", "b"])).toEqual(expect.arrayContaining(["prediction_set", "absent_set"]));
    const numbers = ["value_age", "lower_age", "upper_age", "coverage"];
    expect(namesOf(KIND_REGRESSION, ["age"])).toEqual([...numbers, ...typicality]);
    expect(namesOf(KIND_COX)).toEqual(["risk", "survival", ...typicality]);
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
    const plain = predictionCells(commonV1.Prediction.fromPartial({ probabilities: [{ label: "a", probability: 1 }] }));
    expect(plain.prediction_set).toBeUndefined();
    expect(plain.coverage).toBeUndefined();
    expect(plain.is_unlike).toBeUndefined();
    expect(plain.calibrated_a).toBeUndefined();
  });
});
