import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { inferTask, type TaskWish } from "./infer-task.ts";

const rowsOf = (...labels: string[][]) => labels.map((each, i) => ({ line: i + 2, labels: each, unknownLabels: [] }));
const { KIND_BINARY, KIND_MULTICLASS, KIND_MULTILABEL } = commonV1.Task_Kind;

describe("the task that labels make", () => {
  it("is binary for two classes in natural order, the second positive", () => {
    expect(inferTask(rowsOf(["10"], ["9"]), {})).toEqual({ kind: KIND_BINARY, classes: ["9", "10"] });
  });

  it("is multi-class for more, and multi-label when a row has several or none", () => {
    expect(inferTask(rowsOf(["a"], ["b"], ["c"]), {}).kind).toBe(KIND_MULTICLASS);
    expect(inferTask(rowsOf(["a", "b"], ["b"]), {}).kind).toBe(KIND_MULTILABEL);
    expect(inferTask(rowsOf(["a"], []), {}).kind).toBe(KIND_MULTILABEL);
  });

  it("has the classes and the kind that the user asked for", () => {
    expect(inferTask(rowsOf(["a"], ["b"]), { classes: ["b", "a"] }).classes).toEqual(["b", "a"]);
    expect(inferTask(rowsOf(["a"], ["b"]), { kind: "multilabel" }).kind).toBe(KIND_MULTILABEL);
  });

  it.each<[string[][], TaskWish, string]>([
    [[["a"], ["c"]], { classes: ["a", "b"] }, 'the label "c" is none of the classes a, b'],
    [[["a"]], {}, "a binary task has 2 classes; there are 1"],
    [[["a"], ["b"]], { kind: "multiclass" }, "3 classes or more"],
    [[["a"], ["a", "b"]], { kind: "binary" }, "line 3 has 2 labels"],
  ])("is refused for %j with %j", (labels, wish, message) => {
    expect(() => inferTask(rowsOf(...labels), wish)).toThrow(message);
  });
});
