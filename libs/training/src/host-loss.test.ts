import { parseTask, type Task } from "@parfocal/models";
import { runEagerly, type tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { fitTask } from "./fit-task.ts";
import { hostGradient, hostLoss } from "./host-loss.ts";
import type { Label } from "./label.ts";
import { bagLoss } from "./loss.ts";
import { encodeTarget } from "./target.ts";

const CLASSES = ["a", "b", "c", "d"];
const NUMBERS = { kind: "regression", classes: ["age", "weight"], center: [60, 80], scale: [10, 20] };

/** Tasks with a label, and logits on both sides of every kink. */
const CASES: readonly (readonly [string, Task, Label, readonly number[]])[] = [
  ["softmax", parseTask({ kind: "multiclass", classes: CLASSES }), 2, [0.3, -1, 0.8, 2]],
  ["one sigmoid", parseTask({ kind: "binary", classes: ["n", "y"], link: "sigmoid" }), 1, [-0.7]],
  ["labels", parseTask({ kind: "multilabel", classes: CLASSES }), [1, null, 0, 1], [0.3, -1, 0.8, 2]],
  ["ordinal", parseTask({ kind: "ordinal", classes: CLASSES }), 2, [1.5, 0.1, -0.9]],
  ["Huber", parseTask(NUMBERS), [66, 140], [0.2, -0.5]],
  ["Huber that knows one number", parseTask({ ...NUMBERS, delta: 0.5 }), [null, 85], [3, 0.1]],
  ["squares", parseTask({ ...NUMBERS, loss: "mse" }), [66, 140], [0.2, -0.5]],
  ["an event", parseTask({ kind: "survival", edges: [0, 5, 9, 12] }), { time: 6, isEvent: true }, [0.2, -0.5, 1]],
  ["a censored time", parseTask({ kind: "survival", edges: [0, 5, 9, 12], alpha: 0.4 }), { time: 99, isEvent: false }, [0.2, -0.5, 1]], // biome-ignore format: one line
];

describe.each(CASES)("the loss of %s", (_name, task, label, logits) => {
  const target = encodeTarget(task, label, {
    labelSmoothing: task.link === "identity" ? 0 : 0.1,
    classWeights: [1, 2, 3, 4],
  });

  it("is the same in the graph", () => {
    const k = logits.length;
    const { loss } = runEagerly(
      {
        name: "loss",
        inputs: [
          { name: "logits", dtype: "f32", shape: [k] },
          { name: "target", dtype: "f32", shape: [2, k] },
        ],
        build: ({ logits: z, target: t }) => ({ loss: bagLoss(task, z as tf.Tensor1D, t as tf.Tensor2D) }),
      },
      {
        logits: { dtype: "f32", shape: [k], data: Float32Array.from(logits) },
        target: { dtype: "f32", shape: [2, k], data: target },
      },
    );
    expect(loss?.data[0]).toBeCloseTo(hostLoss(task, logits, target), 5);
  });

  it("has the gradient of central differences", () => {
    const at = (k: number, shift: number) =>
      hostLoss(
        task,
        logits.map((z, i) => (i === k ? z + shift : z)),
        target,
      );
    for (const [k, slope] of hostGradient(task, logits, target).entries())
      expect(Math.abs(slope - (at(k, 1e-5) - at(k, -1e-5)) / 2e-5)).toBeLessThan(1e-9);
  });
});

describe("targets", () => {
  it("of an ordinal task are what smoothing leaves above each cut", () => {
    const task = parseTask({ kind: "ordinal", classes: CLASSES });
    const rows = Array.from(encodeTarget(task, 2, { labelSmoothing: 0.4, classWeights: [1, 1, 5, 1] }));
    // Smoothed classes are 0.1, 0.1, 0.7, 0.1.
    for (const [i, value] of [0.9, 0.8, 0.1, 5, 5, 5].entries()) expect(rows[i]).toBeCloseTo(value, 6);
  });

  it("of numbers are standardised, and those that are not known weigh nothing", () => {
    const plain = { labelSmoothing: 0, classWeights: [] };
    expect(Array.from(encodeTarget(parseTask(NUMBERS), [65, null], plain))).toEqual([0.5, 0, 1, 0]);
    expect(Array.from(encodeTarget(parseTask(NUMBERS), [60, 120], plain))).toEqual([0, 2, 0.5, 0.5]);
  });

  it.each([
    [{ kind: "regression", classes: ["age"] }, [Number.NaN], "a number is NaN; it must be finite or null"],
    [{ kind: "regression", classes: ["age"] }, 3, "a regression task needs a list of numbers"],
    [{ kind: "regression", classes: ["age"] }, [null], "a bag has no known number"],
    [{ kind: "cox" }, 1, "a cox task needs the time of an event or of censoring"],
    [{ kind: "survival" }, { time: -1, isEvent: true }, "the time of a bag is -1; it must be 0 or more"],
    [{ kind: "ordinal", classes: CLASSES }, 4, "class index is 4; it must be a whole number below 4"],
  ] as const)("that are not the task's are refused: %#", (task, label, message) => {
    expect(() => encodeTarget(parseTask(task), label, { labelSmoothing: 0, classWeights: [] })).toThrow(message);
  });
});

describe("what the training part says of a task", () => {
  const MONTHS = [1.5, 3, 4, 6, 7.5, 9, 12, 14, 20, 26, 33, 40];
  const CENSORED = [0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1];
  const TIMES = MONTHS.map((time, i): Label => ({ time, isEvent: CENSORED[i] === 0 }));

  it("are the intervals of F18, ends from events alone", () => {
    const task = fitTask(parseTask({ kind: "survival" }), TIMES);
    expect(task).toMatchObject({ edges: [0, 5.5, 10.5, 17, 40] });
    const bins = TIMES.map((label) => {
      const rows = encodeTarget(task, label, { labelSmoothing: 0, classWeights: [] });
      return rows.slice(4).filter((weight) => weight > 0).length - 1;
    });
    expect(bins).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3]);
  });

  it("joins ends that are equal, and keeps ends that were given", () => {
    const labels = [1, 1, 1, 1, 9].map((time): Label => ({ time, isEvent: true }));
    expect(fitTask(parseTask({ kind: "survival" }), labels)).toMatchObject({ edges: [0, 1, 9] });
    const given = parseTask({ kind: "survival", edges: [0, 2, 4] });
    expect(fitTask(given, labels)).toBe(given);
  });

  it("are mean and deviation of numbers, 1 for one that never varies", () => {
    const task = fitTask(parseTask({ kind: "regression", classes: ["a", "b"] }), [
      [1, 5],
      [3, 5],
      [null, 5],
    ]);
    expect(task).toMatchObject({ center: [2, 5], scale: [1, 1] });
  });

  it("refuses a part that says nothing", () => {
    const censored: Label[] = [{ time: 3, isEvent: false }];
    for (const kind of ["survival", "cox"])
      expect(() => fitTask(parseTask({ kind }), censored)).toThrow(
        "0 of 1 patients of the training part have an event",
      );
    expect(() => fitTask(parseTask({ kind: "regression", classes: ["a", "b"] }), [[1, null]])).toThrow(
      '0 bags of the training part know the number "b"',
    );
  });
});
