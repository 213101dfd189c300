import { tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { doubleFiller } from "../testing/eager-model.ts";
import { double, inDoubles, numbersOf } from "../testing/in-doubles.ts";
import { contrastiveLoss } from "./contrastive-loss.ts";

/** Views of source i in rows 2i and 2i + 1. */
const PAIRS = [1, 0, 1, 1, 0, 1, -1, 1];

function lossOf(rows: readonly number[], width: number, temperature: number, slides?: readonly number[]): number {
  return inDoubles(() => {
    const given = slides && tf.tensor1d([...slides], "int32");
    return numbersOf(contrastiveLoss(double(rows, [rows.length / width, width]), temperature, given))[0]!;
  });
}

function rowOrder(rows: readonly number[], width: number, order: readonly number[]): number[] {
  return order.flatMap((row) => rows.slice(row * width, (row + 1) * width));
}

describe("the contrastive loss (M10)", () => {
  it.each([
    [1, 0.73260239],
    [0.5, 0.535969352],
    [0.2, 0.368582585],
    [0.1, 0.34721072],
  ])("at temperature %d is %d", (temperature, expected) => {
    expect(lossOf(PAIRS, 2, temperature)).toBeCloseTo(expected, 8);
  });

  it("is ln 7 for four pairs of equal vectors", () => {
    expect(lossOf(new Array<number>(24).fill(0.5), 3, 0.1)).toBeCloseTo(Math.log(7), 9);
  });

  it("treats both views alike and looks at neither the order of sources nor lengths", () => {
    const rows = doubleFiller(8 * 5, 3, 2);
    const loss = lossOf(rows, 5, 0.3);
    expect(lossOf(rowOrder(rows, 5, [1, 0, 3, 2, 5, 4, 7, 6]), 5, 0.3)).toBeCloseTo(loss, 12);
    expect(lossOf(rowOrder(rows, 5, [4, 5, 0, 1, 6, 7, 2, 3]), 5, 0.3)).toBeCloseTo(loss, 12);
    expect(lossOf(rows.map((value) => 3 * value), 5, 0.3)).toBeCloseTo(loss, 12); // biome-ignore format: one line
  });

  it("has the gradient of its differences in f64", () => {
    const rows = doubleFiller(20, 3, 2);
    const slopes = inDoubles(() => {
      return numbersOf(tf.grad((x: tf.Tensor) => contrastiveLoss(x as tf.Tensor2D, 0.3))(double(rows, [4, 5])));
    });
    for (const [i, slope] of slopes.entries()) {
      const at = (step: number) => lossOf(rows.with(i, rows[i]! + step), 5, 0.3);
      expect(slope).toBeCloseTo((at(1e-5) - at(-1e-5)) / 2e-5, 7);
    }
  });

  it("without negatives of the same slide is that of each slide's pair among the others", () => {
    const rows = doubleFiller(8 * 5, 3, 2);
    const apart = lossOf(rows, 5, 0.3, [0, 0, 1, 1, 2, 2, 3, 3]);
    expect(apart).toBeCloseTo(lossOf(rows, 5, 0.3), 12);
    // All of one slide: nothing but the partner is left.
    expect(lossOf(rows, 5, 0.3, new Array<number>(8).fill(5))).toBeCloseTo(0, 12);
  });
});
