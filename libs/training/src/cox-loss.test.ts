import { describe, expect, it } from "vitest";
import { coxLoss } from "./cox-loss.ts";
import type { EventTime } from "./label.ts";

function timesOf(times: readonly number[], events: readonly number[]): EventTime[] {
  return times.map((time, i) => ({ time, isEvent: events[i] === 1 }));
}

describe("the numbers of F19", () => {
  it("without ties among events", () => {
    const times = timesOf([5, 3, 3, 8, 1], [1, 1, 0, 1, 0]);
    const { loss } = coxLoss(times, [0.2, 1, -0.5, 0.1, 0.3]);
    expect(loss).toBeCloseTo(0.45876584, 8);
    // The terms of the first two events; the third sees itself alone.
    expect(loss * 3).toBeCloseTo(0.64439666 + 0.73190085, 7);
  });

  it.each([
    ["breslow", 3.39878695],
    ["efron", 3.10293474],
  ] as const)("with two events at one time, by %s", (ties, sum) => {
    const { loss } = coxLoss(timesOf([2, 2, 4, 5], [1, 1, 1, 0]), [0.5, -0.2, 0.3, 0], ties);
    expect(loss * 3).toBeCloseTo(sum, 8);
  });
});

describe("the partial likelihood", () => {
  const TIMES = timesOf([2, 2, 2, 4, 5, 5, 7, 1], [1, 1, 0, 1, 1, 1, 0, 1]);
  const THETA = [0.5, -0.2, 0.9, 0.3, 0, -1.4, 0.7, 2.1];

  it.each(["efron", "breslow"] as const)("has the gradient of central differences, ties by %s", (ties) => {
    const { gradient } = coxLoss(TIMES, THETA, ties);
    const at = (i: number, shift: number) =>
      coxLoss(
        TIMES,
        THETA.map((value, j) => (i === j ? value + shift : value)),
        ties,
      ).loss;
    for (const [i, slope] of gradient.entries()) {
      // Steps of 1e-5 in f64: truncation and rounding are both about 1e-11.
      expect(Math.abs(slope - (at(i, 1e-5) - at(i, -1e-5)) / 2e-5)).toBeLessThan(1e-9);
    }
    expect(gradient.reduce((sum, slope) => sum + slope, 0)).toBeCloseTo(0, 12);
  });

  it("does not care what all risks have in common, nor for the order", () => {
    const { loss } = coxLoss(TIMES, THETA);
    expect(
      coxLoss(
        TIMES,
        THETA.map((value) => value + 7),
      ).loss,
    ).toBeCloseTo(loss, 10);
    expect(coxLoss(TIMES.toReversed(), THETA.toReversed()).loss).toBeCloseTo(loss, 12);
  });

  it("is the same by both rules where no events tie", () => {
    const times = timesOf([1, 2, 3, 4], [1, 0, 1, 1]);
    const theta = [0.1, 2, -1, 0.4];
    expect(coxLoss(times, theta, "efron")).toEqual(coxLoss(times, theta, "breslow"));
  });

  it("is finite for risks a thousand apart", () => {
    const { loss, gradient } = coxLoss(timesOf([1, 2, 3], [1, 1, 1]), [-1000, 0, 1000]);
    expect(loss).toBeCloseTo(1000, 9);
    expect(gradient.every(Number.isFinite)).toBe(true);
  });

  it("says nothing of one patient, and of patients without events", () => {
    expect(coxLoss(timesOf([3], [1]), [0.7])).toEqual({ loss: 0, gradient: [0] });
    expect(coxLoss(timesOf([3, 4], [0, 0]), [0.7, 0.1])).toEqual({ loss: 0, gradient: [0, 0] });
  });
});
