import { describe, expect, it } from "vitest";
import { largestByCell, sumByCell } from "./cell-map.ts";

describe("sumByCell", () => {
  it("adds the tiles of all magnifications within a coarse one", () => {
    // Two coarse tiles of 100.5 px side by side, each with its four children; corners are rounded.
    const cells = [0, 1].map((j) => 50 + 100.5 * j);
    const corners = cells.flatMap((x) => [
      [x, 20],
      [x, 20],
      [x + 50.25, 20],
      [x, 70.25],
      [x + 50.25, 70.25],
    ]);
    const coords = Int32Array.from(corners.flat(), Math.round);
    const values = Float32Array.from([0.5, 0, 0.125, 0, 0, 0.125, 0.125, 0, 0, 0.125]);
    const map = sumByCell({ coords, values }, 100.5);
    expect([...map.values]).toEqual([0.625, 0.375]);
    expect([...map.coords]).toEqual([50, 20, 151, 20]);
    expect(map.tilePx).toBe(100.5);
  });

  it("keeps squares that are larger than a coarse tile", () => {
    const coords = Int32Array.from([0, 0, 300, 0, 0, 300]);
    const map = sumByCell({ coords, values: Float32Array.from([1, 2, 3]) }, 100);
    expect([map.tilePx, ...map.values]).toEqual([300, 1, 2, 3]);
    expect([...map.coords]).toEqual([...coords]);
  });
});

describe("largestByCell", () => {
  it("keeps the largest of a square, also of scores below zero", () => {
    const coords = Int32Array.from([0, 0, 50, 0, 0, 50, 100, 0, 150, 50]);
    const map = largestByCell({ coords, values: Float32Array.from([-3, -1, -2, 4, -5]) }, 100);
    expect([...map.values]).toEqual([-1, 4]);
    expect([...map.coords]).toEqual([0, 0, 100, 0]);
  });
});
