import { runEagerly, type tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { answerFromLogits, answerName, answerTensor } from "./answer.ts";
import { buildModel } from "./build-model.ts";
import { captureAggregate } from "./capture-aggregate.ts";
import { branchNames, parseTask } from "./task.ts";
import { filler, fillerWeights } from "./testing/filler.ts";
import { runModel } from "./testing/run-model.ts";

const CLASSES = ["low", "mid", "high"];

const CASES = [
  ["probabilities", { kind: "multiclass", classes: CLASSES }, [0.3, -1, 2]],
  ["probabilities", { kind: "binary", classes: ["n", "y"], link: "sigmoid" }, [0.4]],
  ["probabilities", { kind: "ordinal", classes: CLASSES }, [1.2, -0.4]],
  ["probabilities", { kind: "ordinal", classes: ["low", "high"] }, [1.2]],
  ["values", { kind: "regression", classes: ["age", "size"], center: [60, -1], scale: [10, 0.5] }, [0.5, 2]],
  ["values", { kind: "regression", classes: ["age"] }, [0.5]],
  ["survival", { kind: "survival", edges: [0, 1, 2, 3] }, [0.2, -0.5, 1]],
  ["risk", { kind: "cox" }, [-0.3]],
] as const;

describe.each(CASES)("%s of %o", (name, json, logits) => {
  const task = parseTask(json);

  it("are the same here and in the graph, under their name", () => {
    const { answer } = runEagerly(
      {
        name: "answer",
        inputs: [{ name: "logits", dtype: "f32", shape: [logits.length] }],
        build: ({ logits: z }) => ({ answer: answerTensor(task, z as tf.Tensor1D) }),
      },
      { logits: { dtype: "f32", shape: [logits.length], data: Float32Array.from(logits) } },
    );
    const expected = answerFromLogits(task, logits);
    expect(answerName(task)).toBe(name);
    expect(answer?.data).toHaveLength(expected.length);
    for (const [k, value] of expected.entries()) expect(answer?.data[k]).toBeCloseTo(value, 4);
  });
});

describe("answers", () => {
  it("of an ordinal task are differences of what lies above the cuts", () => {
    const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
    const found = answerFromLogits(parseTask(CASES[2][1]), [1.2, -0.4]);
    expect(found).toEqual([1 - sigmoid(1.2), sigmoid(1.2) - sigmoid(-0.4), sigmoid(-0.4)]);
  });

  it("of numbers are in the labels' own units, and of hazards the products of what is survived", () => {
    expect(answerFromLogits(parseTask(CASES[4][1]), [0.5, 2])).toEqual([65, 0]);
    const [first = 0, second = 0] = answerFromLogits(parseTask(CASES[6][1]), [0, Math.log(3), 0]);
    expect(first).toBeCloseTo(0.5, 12);
    expect(second).toBeCloseTo(0.125, 12);
  });
});

describe("one score for ordered classes", () => {
  const heads = [{ kind: "mean" }, { kind: "max", level: "instance" }, { kind: "gated-abmil", attentionWidth: 3 }, { kind: "dsmil", queryWidth: 3 }, { kind: "dtfd", attentionWidth: 3 }]; // biome-ignore format: one line

  it.each(heads)("orders the logits of a bag, whatever the weights: %o", (head) => {
    const task = { kind: "ordinal", classes: ["a", "b", "c", "d", "e"] };
    const model = buildModel({ dIn: 5, head: { hidden: [4], ...head }, task });
    for (const scale of [1, 20]) {
      const { logits } = runModel(model, fillerWeights(model.parameters, scale), filler([7, 5], 3, 4));
      expect(logits).toHaveLength(4);
      for (const [k, logit] of logits.entries()) if (k > 0) expect(logit).toBeLessThan(logits[k - 1] ?? Number.NaN);
    }
  });

  it("has one gap less than cuts, and none for two classes", () => {
    const gapsOf = (classes: readonly string[]) =>
      buildModel({ dIn: 5, head: { kind: "mean" }, task: { kind: "ordinal", classes } }).parameters.filter(
        ({ name }) => name === "task.gaps",
      );
    expect(gapsOf(CLASSES)).toMatchObject([{ shape: [1] }]);
    expect(gapsOf(["low", "high"])).toEqual([]);
  });
});

describe("tasks", () => {
  it.each([
    [{ kind: "ordinal", classes: ["a"] }, "task.classes"],
    [{ kind: "regression", classes: [] }, "task.classes"],
    [{ kind: "regression", classes: ["a"], scale: [1, 2] }, "task.scale has 2 numbers; it has 1"],
    [{ kind: "survival", classes: ["a"] }, "task.classes"],
    [{ kind: "survival", edges: [1, 2] }, "it must ascend from 0"],
    [{ kind: "survival", edges: [0, 2, 2] }, "it must ascend from 0"],
    [{ kind: "cox", ties: "exact" }, "task.ties"],
    [{ kind: "cox", link: "sigmoid" }, "task.link is sigmoid; a cox task has identity"],
    [{ kind: "binary", classes: ["a", "b"], link: "identity" }, "task.link is identity"],
  ])("that are none are refused: %o", (json, message) => {
    expect(() => parseTask(json)).toThrow(message);
  });

  it("without classes are refused by the head that sorts tiles by them", () => {
    for (const task of [{ kind: "cox" }, { kind: "ordinal", classes: CLASSES }])
      expect(() => buildModel({ dIn: 5, head: { kind: "clam" }, task })).toThrow("take gated-abmil");
  });

  it("name the maps of a head that has one for each output", () => {
    expect(branchNames(parseTask({ kind: "survival", edges: [0, 5.5, 10] }))).toEqual(["0 to 5.5", "5.5 to 10"]);
    expect(branchNames(parseTask({ kind: "regression", classes: ["age", "size"] }))).toEqual(["age", "size"]);
  });

  it("read back what they were read as, and serve under the name of their answer", () => {
    for (const [name, json] of CASES) {
      const task = parseTask(json);
      expect(parseTask({ ...task })).toEqual(task);
      const model = buildModel({ dIn: 5, head: { kind: "mean", hidden: [] }, task });
      const outputs = captureAggregate(model, fillerWeights(model.parameters)).outputs.map((port) => port.name);
      expect(outputs.toSorted()).toEqual(["logits", name].toSorted());
    }
  });
});
