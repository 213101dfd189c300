import { parseTask, type Task } from "@parfocal/models";
import { runEagerly, tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { hostGradient, hostLoss } from "./host-loss.ts";
import { bagLoss } from "./loss.ts";
import { encodeTarget } from "./target.ts";

/** Four intervals of one unit each. */
function taskOf(alpha: number): Task {
  return parseTask({ kind: "survival", edges: [0, 1, 2, 3, 4], loss: "ce", alpha });
}

interface Known {
  readonly bin: number;
  readonly isEvent: boolean;
}

function targetOf(task: Task, { bin, isEvent }: Known): Float32Array<ArrayBuffer> {
  return encodeTarget(task, { time: bin + 0.5, isEvent }, { labelSmoothing: 0, classWeights: [] });
}

/** Loss and gradient by the graph, f32. */
function inGraph(task: Task, logits: readonly number[], target: Float32Array) {
  const outputs = runEagerly(
    {
      name: "ce",
      inputs: [],
      build() {
        const rows = tf.tensor2d(target, [2, logits.length]);
        const { value, grads } = tf.valueAndGrads((z: tf.Tensor) => bagLoss(task, z as tf.Tensor1D, rows))([
          tf.tensor1d([...logits]),
        ]);
        return { loss: value, gradient: grads[0] as tf.Tensor };
      },
    },
    {},
  );
  return { loss: outputs.loss?.data[0] ?? Number.NaN, gradient: Array.from(outputs.gradient?.data ?? []) };
}

/** The bags of F18. */
const BAGS: readonly (readonly [readonly number[], Known])[] = [
  [[0.2, -0.5, 1, 0.3], { bin: 2, isEvent: true }],
  [[-1, 0, 0.5, 2], { bin: 1, isEvent: false }],
  [[0.7, 0.1, -0.4, -1.2], { bin: 0, isEvent: true }],
];

describe("survival by cross entropy", () => {
  // By the formula with probabilities clamped at 1e-7, in a torch script of its own, f64.
  it.each([
    [0, [0.0783509, 1.00640887, 0.40318605]],
    [0.15, [0.30441989, 0.85544754, 0.40318605]],
    [0.4, [0.68120155, 0.60384532, 0.40318605]],
    [1, [1.58547754, 0, 0.40318605]],
  ])("has the values of the clamped form away from the clamp, alpha %d", (alpha, expected) => {
    const task = taskOf(alpha);
    for (const [i, [logits, known]] of BAGS.entries()) {
      const target = targetOf(task, known);
      // Weights of 1 - alpha are f32.
      expect(hostLoss(task, logits, target)).toBeCloseTo(expected[i] ?? 0, 6);
      expect(inGraph(task, logits, target).loss).toBeCloseTo(expected[i] ?? 0, 6);
    }
  });

  it.each([
    [0, 0.59813887, 0.55869721],
    [1, 0.73317293, 0.91780789],
    [2, 0.59485274, 1.64404945],
    [3, 0.9639163, 2.09512711],
  ])("has them in interval %i, event and censored", (bin, ofEvent, ofCensored) => {
    const task = taskOf(0.3);
    const logits = [0.2, -0.4, 0.6, -0.1];
    expect(hostLoss(task, logits, targetOf(task, { bin, isEvent: true }))).toBeCloseTo(ofEvent, 6);
    expect(hostLoss(task, logits, targetOf(task, { bin, isEvent: false }))).toBeCloseTo(ofCensored, 6);
  });

  const KNOWN = [0, 1, 2, 3].flatMap((bin) => [true, false].map((isEvent): Known => ({ bin, isEvent })));

  it.each(KNOWN)("has the gradient of central differences, on the host and in the graph: %j", (known) => {
    for (const alpha of [0, 0.3, 1]) {
      const task = taskOf(alpha);
      const logits = [0.2, -1.4, 0.6, -0.1];
      const target = targetOf(task, known);
      const at = (k: number, shift: number) =>
        hostLoss(
          task,
          logits.map((z, i) => (i === k ? z + shift : z)),
          target,
        );
      const { loss, gradient } = inGraph(task, logits, target);
      expect(loss).toBeCloseTo(hostLoss(task, logits, target), 5);
      for (const [k, slope] of hostGradient(task, logits, target).entries()) {
        expect(Math.abs(slope - (at(k, 1e-5) - at(k, -1e-5)) / 2e-5)).toBeLessThan(1e-9);
        expect(gradient[k]).toBeCloseTo(slope, 5);
      }
    }
  });

  it.each([
    [[-300, -300, -300, -300], 1],
    [[300, 300, 300, 300], 1],
    [[-2000, 1500, -1500, 2000], 2],
    [[-90, -104, 0, 0], 0],
  ])("and its gradient are finite where sigmoids are 0 or 1: %j", (logits, bin) => {
    for (const isEvent of [true, false]) {
      const task = taskOf(0.3);
      const target = targetOf(task, { bin, isEvent });
      const found = inGraph(task, logits, target);
      const slopes = hostGradient(task, logits, target);
      const loss = hostLoss(task, logits, target);
      expect(Number.isFinite(loss)).toBe(true);
      expect(Math.abs(found.loss - loss)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(loss)));
      for (const [k, slope] of slopes.entries()) {
        expect(Number.isFinite(slope)).toBe(true);
        expect(found.gradient[k]).toBeCloseTo(slope, 4);
      }
    }
  });

  it("is worked by hand far out: an event by the end of two intervals that both say no", () => {
    // 1 - S is 2 e^-300 there, which f32 has not and logarithms have.
    const task = taskOf(0);
    const target = targetOf(task, { bin: 1, isEvent: true });
    expect(hostLoss(task, [-300, -300, 5, 5], target)).toBeCloseTo(300 - Math.log(2), 9);
    const slopes = hostGradient(task, [-300, -300, 5, 5], target);
    for (const [k, slope] of [-0.5, -0.5, 0, 0].entries()) expect(slopes[k]).toBeCloseTo(slope, 9);
  });

  it("is what alpha leaves of it and of the likelihood", () => {
    const [logits, known] = BAGS[0]!;
    const of = (alpha: number) => hostLoss(taskOf(alpha), logits, targetOf(taskOf(alpha), known));
    expect(of(0.4)).toBeCloseTo(0.6 * of(0) + 0.4 * of(1), 12);
    const nll = parseTask({ kind: "survival", edges: [0, 1, 2, 3, 4] });
    expect(of(1)).toBeCloseTo(hostLoss(nll, logits, targetOf(nll, known)), 12);
  });

  it("is one of the two there are", () => {
    expect(parseTask({ kind: "survival" })).toMatchObject({ loss: "nll", alpha: 0 });
    expect(() => parseTask({ kind: "survival", loss: "cox" })).toThrow('task.loss is "cox"; it must be one of nll, ce');
  });
});
