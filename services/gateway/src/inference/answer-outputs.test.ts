import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { answerOutputs, answerTensors } from "./answer-outputs.ts";

const { KIND_COX, KIND_ORDINAL, KIND_REGRESSION, KIND_SURVIVAL } = commonV1.Task_Kind;
const taskOf = (kind: commonV1.Task_Kind, classes: string[] = []) => commonV1.Task.fromPartial({ kind, classes });

describe("what an inference gives", () => {
  it.each([
    [taskOf(KIND_ORDINAL, ["low", "high"]), ["probabilities", "labels", "decision"]],
    [taskOf(KIND_REGRESSION, ["age"]), ["values", "labels"]],
    [taskOf(KIND_SURVIVAL), ["risk", "survival", "hazard", "time"]],
    [taskOf(KIND_COX), ["risk"]],
  ])("is the answer of the task: %o", (task, names) => {
    expect(answerOutputs(task).map(({ name }) => name)).toEqual(names);
    const tensors = answerTensors(task, commonV1.Prediction.fromPartial({}));
    expect(tensors.map(({ name }) => name)).toEqual(names);
  });

  it("holds numbers with their names, and curves with their times", () => {
    const values = [{ label: "age", value: 61.5 }];
    const [numbers, labels] = answerTensors(
      taskOf(KIND_REGRESSION, ["age"]),
      commonV1.Prediction.fromPartial({ values }),
    );
    expect([numbers?.values, labels?.values]).toEqual([Float32Array.of(61.5), ["age"]]);
    const survival = { risk: -1.5, curve: [{ time: 12, survival: 0.75, hazard: 0.25 }] };
    const tensors = answerTensors(taskOf(KIND_SURVIVAL), commonV1.Prediction.fromPartial({ survival }));
    expect(tensors.map((tensor) => [...tensor.values])).toEqual([[-1.5], [0.75], [0.25], [12]]);
    expect(tensors.map(({ shape }) => shape)).toEqual([[1], [1], [1], [1]]);
  });
});
