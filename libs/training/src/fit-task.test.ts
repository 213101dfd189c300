import type { Task } from "@parfocal/models";
import { describe, expect, it } from "vitest";
import { fitTask } from "./fit-task.ts";

const BINARY: Task = { kind: "binary", classes: ["no", "yes"], link: "softmax" };
const ORDINAL: Task = { kind: "ordinal", classes: ["0", "1", "2"], link: "softmax" };
const MULTILABEL: Task = { kind: "multilabel", classes: ["a", "b"], link: "sigmoid" };

describe("labels of classes", () => {
  it.each([BINARY, ORDINAL, { ...ORDINAL, kind: "multiclass" } as const])(
    "refuse a $kind task of one class, naming it",
    (task) => {
      expect(() => fitTask(task, [1, 1, 1])).toThrow(
        expect.objectContaining({
          code: "PRECONDITION_FAILED",
          message: `all 3 patients of the training part are of the class ${JSON.stringify(task.classes[1])}; training needs patients of 2 classes`,
        }) as Error,
      );
      expect(fitTask(task, [1, 0])).toBe(task);
    },
  );

  it("refuse several labels of which none tells patients apart, unknown ones left out", () => {
    const alike = [[1, 0], [1, null], [null, 0]] as const; // biome-ignore format: one line
    expect(() => fitTask(MULTILABEL, alike)).toThrow(expect.objectContaining({ code: "PRECONDITION_FAILED" }) as Error);
    expect(fitTask(MULTILABEL, [...alike, [0, null]])).toBe(MULTILABEL);
  });
});
