import { tf } from "@parfocal/tensor";
import { expect, it } from "vitest";
import { double, inDoubles, numbersOf } from "../testing/in-doubles.ts";
import { smoothSvm } from "./smooth-svm.ts";

function lossOf(scores: readonly number[], y: number): number {
  return inDoubles(() => {
    const target = scores.map((_, j) => Number(j === y));
    return numbersOf(smoothSvm(double(scores, [scores.length]), double(target, [scores.length])))[0] ?? Number.NaN;
  });
}

it.each([
  [[2, 0.5, -1], 0, 0.55495692],
  [[2, 0.5, -1], 1, 2.62387296],
  [[0.3, -0.2], 0, 0.97407698],
  [[9, 0], 0, 0],
  [[9, 0], 1, 10],
])("is that of F14: scores %j, class %i", (scores, y, expected) => {
  expect(Math.abs(lossOf(scores, y) - expected)).toBeLessThan(1e-7);
});

it.each([
  [[0.3, -0.2, 0.7], 1],
  [[9, 0, -2], 2],
])("has the gradient of central differences: scores %j, class %i", (scores, y) => {
  const target = scores.map((_, j) => Number(j === y));
  const gradient = inDoubles(() =>
    numbersOf(tf.grad((x: tf.Tensor) => smoothSvm(x, double(target, [3])))(double(scores, [3]))),
  );
  const h = 1e-5;
  for (const [j, slope] of gradient.entries()) {
    const moved = (step: number) => lossOf(scores.map((score, i) => (i === j ? score + step : score)), y); // biome-ignore format: one line
    expect(Math.abs(slope - (moved(h) - moved(-h)) / (2 * h))).toBeLessThan(1e-8);
  }
});
