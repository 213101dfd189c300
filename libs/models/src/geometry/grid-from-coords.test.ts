import { describe, expect, it } from "vitest";
import { gridFromCoords } from "./grid-from-coords.ts";

const CORNERS = [0, 0, 20, 160, 110, 20, 520, 310];
const CELLS = [0, 0, 0, 1, 1, 0, 5, 3];

function shifted(x: number, y: number): Int32Array {
  return Int32Array.from(CORNERS, (value, i) => value + (i % 2 === 0 ? x : y));
}

describe("gridFromCoords", () => {
  it.each([
    [0, 0],
    [1000, 1000],
    [1200, 1500],
    [-700, -300],
  ])("gives the cells of F4 after a shift by %i, %i", (x, y) => {
    expect([...gridFromCoords(shifted(x, y), { stridePx: 100 }).grid]).toEqual(CELLS);
  });

  it("keeps the first tile of each cell", () => {
    const { grid, kept } = gridFromCoords(Int32Array.of(0, 0, 100, 0, 130, 20, 0, 100, 10, 10), { stridePx: 100 });
    expect([...grid]).toEqual([0, 0, 1, 0, 1, 0, 0, 1, 0, 0]);
    expect([...kept]).toEqual([0, 1, 3]);
  });

  it.each([512.25, 511.6, 447.3])("follows rounded and truncated corners of tiles %d px apart", (stridePx) => {
    for (const whole of [Math.round, Math.floor]) {
      const coords = Int32Array.from({ length: 2 * 300 }, (_, i) => 37 + whole(Math.floor(i / 2) * stridePx));
      const { grid } = gridFromCoords(coords, { stridePx });
      expect([...grid]).toEqual(Array.from({ length: 600 }, (_, i) => Math.floor(i / 2)));
    }
  });

  it("finds the stride of several lattices that are not aligned, and says so", () => {
    const lattice = (x0: number, y0: number) =>
      Array.from({ length: 12 }, (_, i) => [x0 + 224 * (i % 4), y0 + 224 * Math.floor(i / 4)]).flat();
    const coords = Int32Array.from([...lattice(10, 0), ...lattice(3000, 7), ...lattice(6001, 3)]);
    expect(gridFromCoords(coords)).toMatchObject({ stridePx: 224, isStrideInferred: true });
    expect(gridFromCoords(coords, { stridePx: 224 }).isStrideInferred).toBe(false);
  });

  it("finds a stride for tiles that share no row, and for one tile", () => {
    expect(gridFromCoords(Int32Array.of(0, 0, 256, 512, 768, 1280)).stridePx).toBe(256);
    expect([...gridFromCoords(Int32Array.of(77, 99)).grid]).toEqual([0, 0]);
    expect(gridFromCoords(new Int32Array()).grid).toHaveLength(0);
  });

  it("refuses strides that are none, and slides without end, naming the value", () => {
    expect(() => gridFromCoords(Int32Array.of(0, 0), { stridePx: 0 })).toThrow("stride of the tiles is 0 px");
    expect(() => gridFromCoords(Int32Array.of(0, 0, 262_144, 0), { stridePx: 1 })).toThrow(
      "spans 262145 tiles of 1 px; a grid has at most 262143",
    );
    expect(() => gridFromCoords(Int32Array.of(1))).toThrow("1 numbers");
  });
});
