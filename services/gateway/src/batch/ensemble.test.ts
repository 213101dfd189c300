import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { ensemblePrediction } from "./ensemble.ts";
import { assertOneTask } from "./ensemble-models.ts";

const { KIND_BINARY, KIND_COX, KIND_MULTICLASS, KIND_MULTILABEL, KIND_ORDINAL, KIND_REGRESSION, KIND_SURVIVAL } =
  commonV1.Task_Kind;

type Class = Partial<commonV1.ClassProbability>;
const ofClasses = (classes: readonly Class[]) =>
  commonV1.Prediction.fromPartial({ probabilities: classes.map((of, k) => ({ label: "abc"[k] ?? "", ...of })) });
const shares = (values: readonly number[]) => ofClasses(values.map((probability) => ({ probability })));
const curve = (...points: readonly (readonly [number, number])[]) =>
  commonV1.Prediction.fromPartial({
    survival: { risk: 7, curve: points.map(([time, survival]) => ({ time, survival, hazard: 0 })) },
  });

describe("ensemblePrediction", () => {
  it("takes means of probabilities and thresholds, decides by these, and tells the standard deviation", () => {
    const { prediction, spread } = ensemblePrediction(KIND_BINARY, [
      ofClasses([{ probability: 0.75 }, { probability: 0.25, threshold: 0.125 }]),
      ofClasses([{ probability: 0.25 }, { probability: 0.75, threshold: 0.75 }]),
    ]);
    expect(prediction.probabilities).toMatchObject([{ probability: 0.5 }, { probability: 0.5, threshold: 0.4375 }]);
    expect(prediction.decision).toEqual(["b"]);
    expect(spread.probabilities).toEqual([Math.SQRT1_2 / 2, Math.SQRT1_2 / 2]);
    expect(spread.calibrated).toEqual([]);
  });

  it("has calibrated probabilities where every model has them", () => {
    const both = [0.25, 0.5].map((calibrated) => ofClasses([{ probability: 1, calibrated }]));
    const { prediction, spread } = ensemblePrediction(KIND_MULTICLASS, both);
    expect([prediction.probabilities[0]?.calibrated, spread.calibrated]).toEqual([0.375, [0.125 * Math.SQRT2]]);
    const one = ensemblePrediction(KIND_MULTICLASS, [...both, shares([1])]);
    expect([one.prediction.probabilities[0]?.calibrated, one.spread.calibrated]).toEqual([undefined, []]);
    expect(one.spread.probabilities).toEqual([0]);
  });

  it("decides other classes as their tasks do", () => {
    const models = [shares([0.5, 0, 0.5]), shares([0.25, 0.25, 0.5])];
    expect(ensemblePrediction(KIND_MULTICLASS, models).prediction.decision).toEqual(["c"]);
    expect(ensemblePrediction(KIND_ORDINAL, models).prediction.decision).toEqual(["b"]);
    expect(ensemblePrediction(KIND_MULTILABEL, models).prediction.decision).toEqual(["c"]);
  });

  it("takes means of numbers, and warns as the model does that finds the slide most unusual", () => {
    const models = [2, 4].map((value) =>
      commonV1.Prediction.fromPartial({
        values: [{ label: "ki67", value, lower: 0, upper: 9, coverage: 0.9 }],
        typicality: { percentile: 100 - value, isUnlike: value > 3 },
      }),
    );
    const { prediction, spread } = ensemblePrediction(KIND_REGRESSION, models);
    expect([prediction.values, spread.values]).toEqual([[{ label: "ki67", value: 3 }], [Math.SQRT2]]);
    expect(prediction.typicality).toMatchObject({ percentile: 96, isUnlike: true });
  });

  it("counts a slide as seen that any model has, and knows it unseen only where all do", () => {
    const { SEEN_NEITHER, SEEN_TRAINING, SEEN_UNSPECIFIED, SEEN_VALIDATION } = commonV1.Prediction_Seen;
    const together = (...seen: commonV1.Prediction_Seen[]) =>
      ensemblePrediction(
        KIND_MULTICLASS,
        seen.map((each) => ({ ...shares([1]), seen: each })),
      ).prediction.seen;
    expect(together(SEEN_NEITHER, SEEN_TRAINING, SEEN_VALIDATION)).toBe(SEEN_TRAINING);
    expect(together(SEEN_UNSPECIFIED, SEEN_NEITHER)).toBe(SEEN_UNSPECIFIED);
    expect(together(SEEN_NEITHER, SEEN_NEITHER)).toBe(SEEN_NEITHER);
  });

  it("takes means of discrete curves of the same intervals, and refuses others", () => {
    const { prediction, spread } = ensemblePrediction(KIND_SURVIVAL, [
      curve([12, 0.5], [24, 0.25]),
      curve([12, 1], [24, 0.5]),
    ]);
    expect(prediction.survival).toEqual({
      risk: -1.125,
      curve: [
        { time: 12, survival: 0.75, hazard: 0.25 },
        { time: 24, survival: 0.375, hazard: 0.5 },
      ],
    });
    expect(spread.risk).toBeCloseTo(0.75 / Math.SQRT2, 12);
    expect(() => ensemblePrediction(KIND_SURVIVAL, [curve([12, 0.5]), curve([13, 0.5])])).toThrow(
      "interval 1 ends at 13 in model 2 and ends at 12 in model 1",
    );
  });

  it("takes means of Cox curves wherever one steps, up to the end of the shortest, and refuses risks without curves", () => {
    const models = [curve([1, 0.75], [3, 0.5]), curve([2, 0.5], [9, 0])];
    const { prediction } = ensemblePrediction(KIND_COX, models);
    expect(prediction.survival?.curve.map(({ time, survival }) => [time, survival])).toEqual([
      [1, 0.875],
      [2, 0.625],
      [3, 0.5],
    ]);
    expect(prediction.survival?.risk).toBe(-2);
    expect(() => ensemblePrediction(KIND_COX, [curve(), curve([1, 0.5])])).toThrow("share no scale");
  });
});

describe("assertOneTask", () => {
  const member = (kind: commonV1.Task_Kind, classes: string[], edges?: number[]) => ({
    ...{ field: `m${classes.length}`, task: { kind, classes } },
    ...(edges && { edges }),
  });
  const refused = (...members: readonly ReturnType<typeof member>[]) => {
    return expect(() => assertOneTask(members));
  };

  it("names the first difference", () => {
    const binary = member(KIND_BINARY, ["a", "b"]);
    refused(binary, member(KIND_MULTILABEL, ["a", "b"])).toThrow("m2 decides multilabel, m2 binary");
    refused(binary, member(KIND_BINARY, ["b", "a"])).toThrow('m2 has "b" as class 1, m2 "a"');
    refused(binary, member(KIND_BINARY, ["a"])).toThrow("m1 has 1 class, m2 2 classes");
    refused(member(KIND_SURVIVAL, [], [0, 1]), member(KIND_SURVIVAL, [], [0, 2])).toThrow(
      "m0 has 2 as interval end 2, m0 1",
    );
    refused(binary).toThrow("2 models or more; there are 1");
    refused(binary, binary).not.toThrow();
  });
});
