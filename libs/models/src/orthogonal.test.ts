import { describe, expect, it } from "vitest";
import { orthogonalValues } from "./orthogonal.ts";

/** A sequence without a pattern that is the same every time; the distribution does not matter here. */
function sequence(): () => number {
  let k = 0;
  return () => Math.sin(++k * 12.9898) * 3;
}

describe("orthogonalValues", () => {
  it.each([
    [3, 7],
    [7, 3],
    [16, 16],
  ])("gives %i rows of %i numbers that are orthonormal along the shorter side", (nRows, nColumns) => {
    const values = orthogonalValues([nRows, nColumns], sequence());
    const at = (vector: number, i: number) =>
      (nRows <= nColumns ? values[vector * nColumns + i] : values[i * nColumns + vector]) ?? Number.NaN;
    const [nVectors, length] = nRows <= nColumns ? [nRows, nColumns] : [nColumns, nRows];
    for (let a = 0; a < nVectors; a++)
      for (let b = 0; b < nVectors; b++) {
        const product = Array.from({ length }, (_, i) => at(a, i) * at(b, i)).reduce((sum, value) => sum + value, 0);
        expect(product).toBeCloseTo(a === b ? 1 : 0, 6);
      }
  });

  it("joins the axes behind the first", () => {
    expect(orthogonalValues([2, 2, 4], sequence())).toEqual(orthogonalValues([2, 8], sequence()));
  });
});
