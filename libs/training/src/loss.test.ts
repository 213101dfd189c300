import type { BagTarget, Task } from "@parfocal/models";
import { runEagerly, tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import type { Label } from "./label.ts";
import { bagLoss, outputLoss } from "./loss.ts";
import { encodeTarget, type TargetOptions } from "./target.ts";

const BINARY: Task = { kind: "binary", classes: ["no", "yes"], link: "softmax" };
const LABELS: Task = { kind: "multilabel", classes: ["a", "b", "c"], link: "sigmoid" };

/** What a head's objective is told of a label. */
function told(task: Task, label: Label, options: TargetOptions): { isTrue: number[]; weights: number[] } {
  const rows = encodeTarget(task, label, options);
  const found = { isTrue: [] as number[], weights: [] as number[] };
  const objective = ({ isTrue, weights, lossOf }: BagTarget): tf.Scalar => {
    found.isTrue.push(...isTrue.dataSync());
    found.weights.push(...weights.dataSync());
    return lossOf(tf.zeros([rows.length / 2]));
  };
  const build = () => {
    const target = tf.tensor2d(rows, [2, rows.length / 2]);
    const logits: tf.Tensor1D = tf.zeros([rows.length / 2]);
    return { own: outputLoss(task, { logits, objective }, target), plain: bagLoss(task, logits, target) };
  };
  const { own, plain } = runEagerly({ name: "told", inputs: [], build }, {});
  expect(own?.data[0]).toBe(plain?.data[0]);
  return found;
}

describe("what a head's own objective is told of the target", () => {
  it.each([
    ["a class, smoothed and weighted", BINARY, 1, { labelSmoothing: 0.8, classWeights: [1, 3] }, [0, 1]],
    ["a single logit", { ...BINARY, link: "sigmoid" }, 0, { labelSmoothing: 0.4, classWeights: [1, 1] }, [0]],
    ["a single logit, positive", { ...BINARY, link: "sigmoid" }, 1, { labelSmoothing: 0.4, classWeights: [1, 9] }, [1]],
    ["labels, one of them unknown", LABELS, [1, null, 0], { labelSmoothing: 0, classWeights: [1, 1, 1] }, [1, 0, 0]],
    [
      "labels whose positives weigh ten",
      LABELS,
      [1, null, 0],
      { labelSmoothing: 0.2, classWeights: [1, 1, 10] },
      [1, 0, 0],
    ],
    [
      "labels whose positives weigh little",
      LABELS,
      [1, 1, 0],
      { labelSmoothing: 0.2, classWeights: [0.1, 1, 1] },
      [1, 1, 0],
    ],
  ] as const)("is the label itself: %s", (_what, task, label, options, expected) => {
    const { isTrue, weights } = told(task, label, options);
    expect(isTrue).toEqual(expected);
    const isKnown = typeof label === "number" ? isTrue.map(() => true) : label.map((value) => value !== null);
    expect(weights.map((weight) => weight > 0)).toEqual(isKnown);
  });
});
