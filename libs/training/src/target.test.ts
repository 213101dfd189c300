import { parseTask, type Task } from "@parfocal/models";
import { runEagerly, type tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { hostLoss } from "./host-loss.ts";
import type { Label } from "./label.ts";
import { bagLoss } from "./loss.ts";
import { encodeTarget, fitClassWeights } from "./target.ts";

const BINARY = parseTask({ kind: "binary", classes: ["no", "yes"] });
const SINGLE = parseTask({ kind: "binary", classes: ["no", "yes"], link: "sigmoid" });
const THREE = parseTask({ kind: "multiclass", classes: ["a", "b", "c"] });
const LABELS = parseTask({ kind: "multilabel", classes: ["a", "b", "c"] });

function targetOf(task: Task, label: Label, labelSmoothing = 0, classWeights: readonly number[] = []) {
  return encodeTarget(task, label, { labelSmoothing, classWeights });
}

function tensorLoss(task: Task, logits: readonly number[], target: Float32Array): number {
  const k = logits.length;
  const outputs = runEagerly(
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
  return outputs.loss?.data[0] ?? Number.NaN;
}

describe("the numbers of F23", () => {
  it.each([
    [0, 0, 0.2413113],
    [0, 0.1, 0.3913113],
    [1, 0, 3.2413113],
    [1, 0.1, 3.0913113],
  ])("cross entropy of class %i smoothed by %f", (label, smoothing, expected) => {
    const target = targetOf(THREE, label, smoothing);
    expect(hostLoss(THREE, [2, -1, 0.5], target)).toBeCloseTo(expected, 7);
    expect(tensorLoss(THREE, [2, -1, 0.5], target)).toBeCloseTo(expected, 5);
  });

  it.each([
    [1, 0.32328247],
    [0, 1.40328247],
  ])("binary cross entropy of label %i smoothed by 0.1", (label, expected) => {
    const target = targetOf(SINGLE, label, 0.1);
    expect(hostLoss(SINGLE, [1.2], target)).toBeCloseTo(expected, 7);
    expect(tensorLoss(SINGLE, [1.2], target)).toBeCloseTo(expected, 5);
  });
});

describe("losses", () => {
  it("stay finite and exact for logits of a thousand", () => {
    expect(tensorLoss(BINARY, [1000, -1000], targetOf(BINARY, 1))).toBeCloseTo(2000, 2);
    expect(tensorLoss(SINGLE, [-1000], targetOf(SINGLE, 1))).toBeCloseTo(1000, 2);
    expect(hostLoss(SINGLE, [1000], targetOf(SINGLE, 1))).toBe(0);
  });

  it("average over the labels that are known and ignore the others", () => {
    const target = targetOf(LABELS, [1, null, 0]);
    const expected = (Math.log1p(Math.exp(-0.5)) + Math.log1p(Math.exp(2))) / 2;
    expect(hostLoss(LABELS, [0.5, 77, 2], target)).toBeCloseTo(expected, 6);
    expect(tensorLoss(LABELS, [0.5, 77, 2], target)).toBeCloseTo(expected, 5);
  });

  it("weigh positive terms of labels by the class weight", () => {
    const target = targetOf(LABELS, [1, 0, null], 0, [4, 4, 4]);
    const expected = (4 * Math.log1p(Math.exp(-0.5)) + Math.log1p(Math.exp(2))) / 2;
    expect(hostLoss(LABELS, [0.5, 2, 0], target)).toBeCloseTo(expected, 6);
  });

  it("weigh bags by the class weight", () => {
    const plain = hostLoss(BINARY, [0.3, -0.2], targetOf(BINARY, 1));
    expect(hostLoss(BINARY, [0.3, -0.2], targetOf(BINARY, 1, 0, [1, 3]))).toBeCloseTo(3 * plain, 6);
  });
});

describe("class weights", () => {
  it("are inverse to frequency and 1 on average over bags", () => {
    const weights = fitClassWeights(BINARY, [0, 0, 0, 1], "balanced");
    expect(weights).toEqual([4 / 6, 2]);
  });

  it("of labels are negatives over positives, clipped", () => {
    const labels: Label[] = [[1, 1, null], ...Array.from({ length: 50 }, (): Label => [0, 1, 1])];
    expect(fitClassWeights(LABELS, labels, "balanced")).toEqual([10, 0.1, 0.1]);
  });
});

describe("labels", () => {
  it.each([
    [BINARY, 2, "class index is 2; it must be a whole number below 2"],
    [BINARY, [0, 1], "a binary task needs a class index"],
    [LABELS, 1, "a multilabel task needs a list of labels"],
    [LABELS, [1, 0], "a bag has 2 labels; the task has 3 classes"],
    [LABELS, [1, 0, 0.5], "a label is 0.5"],
    [LABELS, [null, null, null], "no known label"],
  ] as const)("that are not the task's are refused: %#", (task, label, message) => {
    expect(() => targetOf(task, label)).toThrow(message);
  });
});
