import { aggregateV1, commonV1 } from "@parfocal/protocol";
import { expect, it } from "vitest";
import { compareEvaluations } from "./compare-evaluations.ts";

it("compares no number that no bag has, whatever the number is called", () => {
  const classes = ["constructor", "mm"];
  const task = commonV1.Task.fromPartial({ kind: commonV1.Task_Kind.KIND_REGRESSION, classes });
  const predictionOf = (value: number) =>
    commonV1.Prediction.fromPartial({ values: classes.map((label) => ({ label, value })) });
  const cases = Array.from({ length: 8 }, (_, i) => ({
    patient: `${i}`,
    labelled: aggregateV1.LabelledBag.fromPartial({ values: { mm: i } }),
    predictions: [predictionOf(i + 1), predictionOf(2 * i)],
  }));
  const labels = compareEvaluations(task, cases).map(({ label }) => label);
  expect(new Set(labels)).toEqual(new Set(["mm"]));
});
