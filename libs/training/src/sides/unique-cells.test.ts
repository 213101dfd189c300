import { describe, expect, it } from "vitest";
import { uniqueRows } from "./unique-cells.ts";

/** Scaled corners of F4, tiles of 100. */
const F4 = [0, 0, 20, 160, 110, 20, 520, 310];
const metadata = { level0StridePx: 100 };
const UNIQUE = { hasUniqueCells: true };

describe("the rows of a model that takes one tile of each cell", () => {
  it("are all of F4, whose tiles have cells of their own", () => {
    expect(uniqueRows(UNIQUE, { coords: Int32Array.from(F4), metadata })).toBeUndefined();
  });

  it("are the first of each cell of F4 with duplicates", () => {
    // In the cells of the third, the first and the fourth tile, and between these a new one.
    const coords = Int32Array.from([...F4, 199, 99, 1, 98, 300, 300, 500, 399]);
    expect(uniqueRows(UNIQUE, { coords, metadata })).toEqual(Int32Array.of(0, 1, 2, 3, 6));
  });

  it("are all of a model that takes all, and of a bag without coordinates", () => {
    expect(uniqueRows({ hasUniqueCells: false }, { coords: Int32Array.of(0, 0, 1, 1), metadata })).toBeUndefined();
    expect(uniqueRows(UNIQUE, { metadata })).toBeUndefined();
  });

  it("have cells of their own also where a left out tile was the corner that cells count from", () => {
    const stride = { level0StridePx: 99.5 };
    // The third shares the cell of the first and lies furthest left; without it the second and the fourth share one.
    const all = Int32Array.of(50, 0, 98, 0, 0, 0, 140, 0);
    const rows = uniqueRows(UNIQUE, { coords: all, metadata: stride }) ?? expect.unreachable("all tiles are kept");
    const left = Int32Array.from([...rows].flatMap((row) => [...all.slice(2 * row, 2 * row + 2)]));
    expect(rows.length).toBeLessThan(3);
    expect(uniqueRows(UNIQUE, { coords: left, metadata: stride })).toBeUndefined();
  });
});
