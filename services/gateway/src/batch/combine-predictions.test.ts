import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { combinePredictions } from "./combine-predictions.ts";

const { KIND_BINARY, KIND_MULTICLASS, KIND_MULTILABEL, KIND_ORDINAL, KIND_REGRESSION, KIND_SURVIVAL } =
  commonV1.Task_Kind;

const ofClasses = (probabilities: readonly number[], threshold?: number) =>
  commonV1.Prediction.fromPartial({
    probabilities: probabilities.map((probability, k) => ({ label: "abc"[k]!, probability, threshold })),
  });
const shares = ({ probabilities }: ReturnType<typeof combinePredictions>) =>
  probabilities.map(({ probability }) => probability);

describe("combinePredictions", () => {
  it("takes means, and decides by the threshold that came with them", () => {
    const combined = combinePredictions(
      KIND_BINARY,
      [ofClasses([0.75, 0.25], 0.3), ofClasses([0.25, 0.75], 0.3)],
      "mean",
    );
    expect(shares(combined)).toEqual([0.5, 0.5]);
    expect(combined.decision).toEqual(["b"]);
    expect(combinePredictions(KIND_BINARY, [ofClasses([0.75, 0.25], 0.3)], "mean").probabilities).toHaveLength(2);
  });

  it("has seen of a patient what it has seen of any slide", () => {
    const { SEEN_NEITHER, SEEN_TRAINING, SEEN_UNSPECIFIED, SEEN_VALIDATION } = commonV1.Prediction_Seen;
    const together = (...seen: commonV1.Prediction_Seen[]) => {
      const slides = seen.map((each) => ({ ...ofClasses([0.5, 0.5]), seen: each }));
      return combinePredictions(KIND_MULTICLASS, slides, "mean").seen;
    };
    expect(together(SEEN_NEITHER, SEEN_VALIDATION, SEEN_TRAINING)).toBe(SEEN_TRAINING);
    expect(together(SEEN_UNSPECIFIED, SEEN_VALIDATION)).toBe(SEEN_VALIDATION);
    expect(together(SEEN_NEITHER, SEEN_UNSPECIFIED)).toBe(SEEN_UNSPECIFIED);
    expect(together(SEEN_NEITHER, SEEN_NEITHER)).toBe(SEEN_NEITHER);
  });

  it("promises nothing of several slides that was fitted on one, and warns by the most unusual", () => {
    const slides = [90, 99].map((percentile) => ({
      ...commonV1.Prediction.fromPartial({
        probabilities: [{ label: "a", probability: 1, calibrated: 0.75 }],
        predictionSet: { labels: ["a"], coverage: 0.9 },
        typicality: { percentile, isUnlike: percentile > 95 },
      }),
    }));
    const combined = combinePredictions(KIND_MULTICLASS, slides, "mean");
    expect(combined.probabilities[0]?.calibrated).toBeUndefined();
    expect(combined).not.toHaveProperty("predictionSet");
    expect(combined.typicality).toMatchObject({ percentile: 99, isUnlike: true });
    expect(combinePredictions(KIND_MULTICLASS, slides.slice(0, 1), "mean")).toEqual(slides[0]);
  });

  it("takes the most positive slide of a binary task", () => {
    const combined = combinePredictions(KIND_BINARY, [ofClasses([0.75, 0.25]), ofClasses([0.375, 0.625])], "max");
    expect(shares(combined)).toEqual([0.375, 0.625]);
    expect(combined.decision).toEqual(["b"]);
  });

  it("takes the largest of each class, as shares where classes exclude each other", () => {
    const slides = [ofClasses([0.5, 0.25, 0.25]), ofClasses([0.25, 0.5, 0.25])];
    expect(shares(combinePredictions(KIND_MULTICLASS, slides, "max"))).toEqual([0.4, 0.4, 0.2]);
    expect(combinePredictions(KIND_MULTICLASS, slides, "max").decision).toEqual(["a"]);
    const multilabel = combinePredictions(KIND_MULTILABEL, slides, "max");
    expect(shares(multilabel)).toEqual([0.5, 0.5, 0.25]);
    expect(multilabel.decision).toEqual(["a", "b"]);
  });

  it("decides ordinal classes by the median", () => {
    const combined = combinePredictions(KIND_ORDINAL, [ofClasses([0.5, 0, 0.5]), ofClasses([0.25, 0.25, 0.5])], "mean");
    expect(shares(combined)).toEqual([0.375, 0.125, 0.5]);
    expect(combined.decision).toEqual(["b"]);
  });

  it("combines numbers, risks and curves", () => {
    const slides = [
      commonV1.Prediction.fromPartial({
        values: [{ label: "ki67", value: 2 }],
        survival: {
          risk: 1,
          curve: [
            { time: 12, survival: 0.5, hazard: 0.5 },
            { time: 24, survival: 0.25, hazard: 0.5 },
          ],
        },
      }),
      commonV1.Prediction.fromPartial({
        values: [{ label: "ki67", value: 4 }],
        survival: {
          risk: 3,
          curve: [
            { time: 12, survival: 0.25, hazard: 0.75 },
            { time: 24, survival: 0.125, hazard: 0.5 },
          ],
        },
      }),
    ];
    expect(combinePredictions(KIND_REGRESSION, slides, "mean").values).toEqual([{ label: "ki67", value: 3 }]);
    expect(combinePredictions(KIND_SURVIVAL, slides, "mean").survival).toEqual({
      risk: 2,
      curve: [
        { time: 12, survival: 0.375, hazard: 0.625 },
        { time: 24, survival: 0.1875, hazard: 0.5 },
      ],
    });
    expect(combinePredictions(KIND_SURVIVAL, slides, "max").survival).toEqual(slides[1]!.survival);
  });
});
