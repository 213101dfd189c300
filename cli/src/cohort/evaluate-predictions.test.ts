import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { type EvaluatedSlide, evaluatePredictions } from "./evaluate-predictions.ts";

function slide(
  i: number,
  label: string,
  said: Readonly<Record<string, number>>,
  order: readonly string[],
): EvaluatedSlide {
  const probabilities = order.map((name) => ({ label: name, probability: said[name] ?? 0 }));
  return {
    patient: `p${i}`,
    truth: { labels: [label], unknownLabels: [] },
    prediction: commonV1.Prediction.fromPartial({ probabilities, decision: [label] }),
  };
}

describe("evaluatePredictions", () => {
  it("reads probabilities by the names of classes, whatever their order", () => {
    const task = commonV1.Task.fromPartial({ kind: commonV1.Task_Kind.KIND_BINARY, classes: ["-1", "1"] });
    const slides = Array.from({ length: 8 }, (_, i) => {
      const label = i % 2 === 0 ? "-1" : "1";
      const p = label === "1" ? 0.9 - i / 100 : 0.1 + i / 100;
      return slide(i, label, { "1": p, "-1": 1 - p }, ["1", "-1"]);
    });
    expect(evaluatePredictions(task, slides).metrics.auroc?.value).toBe(1);
  });

  it("evaluates ordered classes, which no threshold decides", () => {
    const task = commonV1.Task.fromPartial({ kind: commonV1.Task_Kind.KIND_ORDINAL, classes: ["low", "mid", "high"] });
    const slides = Array.from({ length: 9 }, (_, i) => {
      const label = task.classes[i % 3] ?? "";
      const said = Object.fromEntries(task.classes.map((name) => [name, name === label ? 0.8 : 0.1]));
      return slide(i, label, said, task.classes);
    });
    const { task: evaluated, metrics } = evaluatePredictions(task, slides);
    expect(evaluated.kind).toBe("ordinal");
    expect(metrics.accuracy?.value).toBe(1);
  });

  it("refuses a prediction that lacks a class of the model", () => {
    const task = commonV1.Task.fromPartial({ kind: commonV1.Task_Kind.KIND_BINARY, classes: ["a", "b"] });
    const slides = ["a", "b"].map((label, i) => slide(i, label, { a: 1 }, ["a"]));
    expect(() => evaluatePredictions(task, slides)).toThrow('nothing of the model\'s class "b"');
  });
});
