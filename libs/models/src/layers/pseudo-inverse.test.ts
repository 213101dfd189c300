import { tf } from "@parfocal/tensor";
import { expect, it } from "vitest";
import { doubleFiller } from "../testing/eager-model.ts";
import { double, inDoubles, numbersOf } from "../testing/in-doubles.ts";
import { pseudoInverse } from "./pseudo-inverse.ts";

it("has the numbers of F15", () => {
  const { row, error } = inDoubles(() => {
    const a = tf.softmax(double<tf.Tensor3D>(doubleFiller(16, 20, 4), [1, 4, 4]));
    const z = pseudoInverse(a, 6);
    const product = numbersOf(tf.matMul(a, z));
    return { row: numbersOf(z).slice(0, 4), error: Math.max(...product.map((value, i) => Math.abs(value - Number(i % 5 === 0)))) }; // biome-ignore format: one line
  });
  const expected = [6.01723288, -2.36083042, -0.95379955, -1.70260263];
  for (const [i, value] of expected.entries()) expect(Math.abs((row[i] ?? Number.NaN) - value)).toBeLessThan(1e-7);
  expect(error).toBeCloseTo(1.56e-6, 8);
});
