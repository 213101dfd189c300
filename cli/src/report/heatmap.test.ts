import { DomainError } from "@parfocal/errors";
import { PNG } from "pngjs";
import { describe, expect, it } from "vitest";
import { colourOf } from "./colormap.ts";
import { renderHeatmap } from "./heatmap.ts";
import { percentilesIn } from "./percentiles.ts";
import { fixtureTiles } from "./report-data.fixture.ts";
import { inferStridePx } from "./tile-grid.ts";

const MARGIN = 12;
const TILE = 24;
const BACKGROUND = [250, 250, 248];

function decode(bytes: Uint8Array): { width: number; height: number; at: (x: number, y: number) => number[] } {
  const { width, height, data } = PNG.sync.read(Buffer.from(bytes));
  return { width, height, at: (x, y) => [...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 3)] };
}

/** Centre of the tile at (column, row) in a picture with tiles of 24 pixels. */
const centre = (column: number, row: number): [number, number] => [
  MARGIN + TILE * column + 12,
  MARGIN + TILE * row + 12,
];

describe("renderHeatmap", () => {
  it("paints each tile at its place in the colour of its percentile, and leaves the rest light", () => {
    // An L of three tiles; (1, 1) is empty.
    const coords = Int32Array.of(1000, 2000, 1256, 2000, 1000, 2256);
    const picture = decode(renderHeatmap({ coords, values: Float32Array.of(0.1, 0.9, 0.5) }));
    expect(picture.at(...centre(0, 0))).toEqual([...colourOf(0.5 / 3, "viridis")]);
    expect(picture.at(...centre(1, 0))).toEqual([...colourOf(2.5 / 3, "viridis")]);
    expect(picture.at(...centre(0, 1))).toEqual([...colourOf(1.5 / 3, "viridis")]);
    expect(picture.at(...centre(1, 1))).toEqual(BACKGROUND);
    expect(picture.at(2, 2)).toEqual(BACKGROUND);
  });

  it("does not change when all coordinates move, nor when values are mapped monotonically", () => {
    const { coords, values } = fixtureTiles(1n, 6);
    const options = { hasRawRange: false };
    const plain = renderHeatmap({ coords, values, ...options });
    expect(renderHeatmap({ coords: coords.map((c) => c - 70_000), values, ...options })).toEqual(plain);
    expect(renderHeatmap({ coords, values: values.map((v) => Math.log(v)), ...options })).toEqual(plain);
  });

  it("draws one tile, in the middle of the colours", () => {
    const picture = decode(renderHeatmap({ coords: Int32Array.of(7, 7), values: Float32Array.of(0.3) }));
    expect(picture.at(...centre(0, 0))).toEqual([...colourOf(0.5, "viridis")]);
    expect(picture.width).toBe(300 + 2 * MARGIN);
  });

  it("shows the higher of two values at one place, whichever comes first", () => {
    const coords = Int32Array.of(0, 0, 0, 0, 256, 0);
    for (const values of [Float32Array.of(0.9, 0.1, 0.5), Float32Array.of(0.1, 0.9, 0.5)]) {
      expect(decode(renderHeatmap({ coords, values })).at(...centre(0, 0))).toEqual([...colourOf(2.5 / 3, "viridis")]);
    }
  });

  it("ends its legend bar in the end colours", () => {
    const picture = decode(
      renderHeatmap({ coords: Int32Array.of(0, 0), values: Float32Array.of(1), colormap: "magma" }),
    );
    const barTop = TILE + 2 * MARGIN;
    expect(picture.at(MARGIN, barTop)).toEqual([0, 0, 4]);
    expect(picture.at(MARGIN + 299, barTop)).toEqual([252, 253, 191]);
  });

  it("keeps a huge extent within the longest side, each tile at least a pixel", () => {
    const coords = Int32Array.of(-2147483648, 0, 2147483391, 2147483391);
    const picture = decode(renderHeatmap({ coords, values: Float32Array.of(0, 1), tilePx: 256 }));
    expect(picture.width).toBeLessThanOrEqual(1600 + 2 * MARGIN);
    expect(picture.at(MARGIN, MARGIN)).toEqual([...colourOf(0.25, "viridis")]);
  });

  it("keeps to the longest side it is given for a large regular slide", () => {
    const picture = decode(renderHeatmap({ ...fixtureTiles(1n, 30), maxSidePx: 400 }));
    expect(picture.width).toBeLessThanOrEqual(400 + 2 * MARGIN);
  });

  it("refuses what it cannot draw, by value and bound", () => {
    const draw =
      (coords: number[], values: number[], extra = {}) =>
      () =>
        renderHeatmap({ coords: Int32Array.from(coords), values: Float32Array.from(values), ...extra });
    expect(draw([], [])).toThrow(new DomainError("EMPTY_BAG", "there are 0 tiles to draw; at least 1 is needed"));
    expect(draw([0, 0], [Number.NaN])).toThrow(new DomainError("NON_FINITE", "value 0 is NaN; it must be finite"));
    expect(draw([0, 0, 1], [1])).toThrow("3 coordinates for 1 values; there must be 2 for each");
    expect(draw([0, 0], [1], { tilePx: 0 })).toThrow("tile side is 0 px; it must be above 0");
    expect(draw([0, 0], [1], { maxSidePx: 10 })).toThrow("the longest side is 10 px; it must lie in [64, 8192]");
  });
});

describe("percentilesIn", () => {
  it("are those that came with the values, and what f32 cut off", () => {
    const values = Float32Array.of(3, 1, 2);
    expect([...percentilesIn({ values })]).toEqual([2.5 / 3, 0.5 / 3, 0.5]);
    const percentiles = Float32Array.of(50 / 3, 250 / 3, 100 / 3);
    expect([...percentilesIn({ values, percentiles })]).toEqual([0.5 / 3, 2.5 / 3, 1 / 3]);
  });

  it("come back exactly of a million tiles", () => {
    const values = Float32Array.from({ length: 1_000_000 }, (_, i) => (i * 7919) % 999_983);
    const made = percentilesIn({ values });
    const percentiles = Float32Array.from(made, (share) => 100 * share);
    expect(percentilesIn({ values, percentiles }).findIndex((share, i) => share !== made[i])).toBe(-1);
  });

  it("colour the map", () => {
    const coords = Int32Array.of(0, 0, 256, 0);
    const values = Float32Array.of(1, 0);
    const picture = decode(renderHeatmap({ coords, values, percentiles: Float32Array.of(25, 75) }));
    expect(picture.at(...centre(0, 0))).toEqual([...colourOf(0.25, "viridis")]);
    expect(picture.at(...centre(1, 0))).toEqual([...colourOf(0.75, "viridis")]);
    expect(() => renderHeatmap({ coords, values, percentiles: Float32Array.of(1) })).toThrow(
      "1 percentiles for 2 values; there must be 1 for each",
    );
  });
});

describe("inferStridePx", () => {
  it("finds the grid of a slide with holes", () => {
    expect(inferStridePx(fixtureTiles().coords)).toBe(512);
  });

  it("takes the most frequent gap, not the smallest accident", () => {
    expect(inferStridePx(Int32Array.of(0, 0, 224, 0, 448, 0, 451, 0, 672, 0, 896, 0))).toBe(224);
  });

  it("ignores duplicates, and falls back where no two tiles are in line", () => {
    expect(inferStridePx(Int32Array.of(5, 5, 5, 5))).toBe(256);
    expect(inferStridePx(Int32Array.of(0, 0, 100, 101, 200, 199, 301, 300))).toBe(150);
  });
});

describe("colourOf", () => {
  it.each(["viridis", "magma"] as const)("%s grows lighter throughout, and clamps", (colormap) => {
    const lightness = Array.from({ length: 101 }, (_, i) => {
      const [red, green, blue] = colourOf(i / 100, colormap);
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    });
    lightness.slice(1).forEach((value, i) => {
      expect(value).toBeGreaterThan(lightness[i] ?? 0);
    });
    expect(colourOf(-1, colormap)).toEqual(colourOf(0, colormap));
    expect(colourOf(2, colormap)).toEqual(colourOf(1, colormap));
  });
});
