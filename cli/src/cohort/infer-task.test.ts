import { commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { inferTask, type TaskWish } from "./infer-task.ts";

const rowsOf = (...labels: string[][]) => labels.map((each, i) => ({ line: i + 2, labels: each, unknownLabels: [] }));
const { KIND_BINARY, KIND_COX, KIND_MULTICLASS, KIND_MULTILABEL, KIND_ORDINAL, KIND_REGRESSION, KIND_SURVIVAL } =
  commonV1.Task_Kind;

describe("the task that labels make", () => {
  it("is binary for two classes in natural order, the second positive", () => {
    expect(inferTask(rowsOf(["10"], ["9"]), {})).toEqual({ kind: KIND_BINARY, classes: ["9", "10"] });
  });

  it("is multi-class for more, and multi-label when a row has several or one that is not known", () => {
    expect(inferTask(rowsOf(["a"], ["b"], ["c"]), {}).kind).toBe(KIND_MULTICLASS);
    expect(inferTask(rowsOf(["a", "b"], ["b"]), {}).kind).toBe(KIND_MULTILABEL);
    const unknown = [...rowsOf(["a"]), { line: 3, labels: ["b"], unknownLabels: ["a"] }];
    expect(inferTask(unknown, {}).kind).toBe(KIND_MULTILABEL);
  });

  it("is not multi-label because a row has no label, unless it is told so", () => {
    const rows = rowsOf(["a"], ["b"], []);
    expect(() => inferTask(rows, {})).toThrow(
      "line 4 has 0 labels; a binary task takes one; a row of a multilabel task may have none",
    );
    expect(inferTask(rows, { kind: "multilabel" })).toEqual({ kind: KIND_MULTILABEL, classes: ["a", "b"] });
  });

  it("is a regression for numbers, and survival for times", () => {
    const rows = [{ line: 2, labels: [], unknownLabels: [], values: { age: 3 } }, { line: 3, labels: [], unknownLabels: [], values: { bmi: 3 } }]; // biome-ignore format: one line
    expect(inferTask(rows, {})).toMatchObject({ kind: KIND_REGRESSION, classes: ["age", "bmi"] });
    expect(inferTask(rows, { classes: ["bmi", "age"] }).classes).toEqual(["bmi", "age"]);
    const events = [{ line: 2, labels: [], unknownLabels: [], survival: { time: 1, event: true } }];
    expect(inferTask(events, {})).toMatchObject({ kind: KIND_SURVIVAL, classes: [] });
    expect(inferTask(events, { kind: "cox" }).kind).toBe(KIND_COX);
    expect(inferTask(rowsOf(["1"], ["2"], ["3"]), { kind: "ordinal" }).kind).toBe(KIND_ORDINAL);
    expect(inferTask(rowsOf(["G10"], ["G2"]), { kind: "ordinal" }).classes).toEqual(["G2", "G10"]);
    const named = rowsOf(["low"], ["mid"], ["high"]);
    expect(() => inferTask(named, { kind: "ordinal" })).toThrow("needs the order of high, low, mid: --classes");
    const classes = ["low", "mid", "high"];
    expect(inferTask(named, { kind: "ordinal", classes }).classes).toEqual(classes);
    expect(() => inferTask(events, { kind: "binary" })).toThrow("the labels are times of events; a binary task");
    expect(() => inferTask(rows, { kind: "cox" })).toThrow("the labels are numbers; a cox task takes others");
    expect(() => inferTask(rows, { classes: ["age"] })).toThrow('the number "bmi" is none of age');
    expect(() => inferTask(rowsOf(["a"], ["b"]), { kind: "survival" })).toThrow("takes times of events");
  });

  it("has the classes and the kind that the user asked for", () => {
    expect(inferTask(rowsOf(["a"], ["b"]), { classes: ["b", "a"] }).classes).toEqual(["b", "a"]);
    expect(inferTask(rowsOf(["a"], ["b"]), { kind: "multilabel" }).kind).toBe(KIND_MULTILABEL);
  });

  it("is multi-class for two classes where the user says so", () => {
    const task = { kind: KIND_MULTICLASS, classes: ["a", "b"] };
    expect(inferTask(rowsOf(["a"], ["b"]), { kind: "multiclass" })).toEqual(task);
  });

  it("has a class for every column of labels, in their order, though one holds nowhere", () => {
    const rows = rowsOf(["TP53"], []).map((row) => ({ ...row, columns: ["TP53", "KRAS"] }));
    expect(inferTask(rows, { kind: "multilabel" }).classes).toEqual(["TP53", "KRAS"]);
    expect(inferTask(rows, { kind: "multilabel", classes: ["KRAS", "TP53"] }).classes).toEqual(["KRAS", "TP53"]);
    expect(() => inferTask(rows, { kind: "multilabel", classes: ["TP53"] })).toThrow('the label "KRAS" is none of');
  });

  it.each<[string[][], TaskWish, string]>([
    [[["a"], ["c"]], { classes: ["a", "b"] }, 'the label "c" is none of the classes a, b'],
    [[["a"]], {}, "a binary task has 2 classes; there are 1"],
    [[["a"], ["a"]], { kind: "multiclass" }, "a multiclass task has 2 classes or more; there are 1: a"],
    [[["a"], ["a", "b"]], { kind: "binary" }, "line 3 has 2 labels"],
  ])("is refused for %j with %j", (labels, wish, message) => {
    expect(() => inferTask(rowsOf(...labels), wish)).toThrow(message);
  });
});
