import { describe, expect, it } from "vitest";
import { MAGNIFIED_DIM, plantMagnified } from "./planted-magnifications.ts";

/** Sums of a feature over the tiles of a slide at a magnification that lie above 0, and how many do. */
function hotOf({ features, n }: { readonly features: Float32Array; readonly n: number }, feature: number): number {
  return Array.from({ length: n }, (_, tile) => features[tile * MAGNIFIED_DIM + feature] ?? 0).filter((x) => x > 0)
    .length;
}

describe("the made-up slides of several magnifications", () => {
  const slides = plantMagnified(4, 2, 7n);

  it("lie on one grid, each magnification at half the stride of the one before", () => {
    for (const { magnifications } of slides) {
      expect(magnifications.map(({ name, n, stridePx }) => [name, n, stridePx])).toEqual([
        ["5x", 16, 1792],
        ["10x", 64, 896],
        ["20x", 256, 448],
      ]);
      const corners = magnifications.map(({ coords }) => [...coords.subarray(0, 2)]);
      expect(new Set(corners.map(String)).size).toBe(1);
    }
  });

  it("have as many compartments of each type and as many hot tiles whatever their class", () => {
    expect(slides.map(({ label }) => label)).toEqual(["crossed", "paired", "crossed", "paired"]);
    for (const { magnifications } of slides) {
      const [coarse, , fine] = magnifications;
      if (coarse === undefined || fine === undefined) throw new Error("a magnification is missing");
      // Signs of 3 in noise of 1 are seldom turned.
      expect(Math.abs(hotOf(coarse, 0) - 8)).toBeLessThanOrEqual(1);
      expect(Math.abs(hotOf(fine, 1) - 128)).toBeLessThanOrEqual(3);
    }
  });

  it("are the same for the same seed, however many there are", () => {
    expect(plantMagnified(2, 2, 7n)).toEqual(slides.slice(0, 2));
    expect(plantMagnified(1, 2, 8n)[0]).not.toEqual(slides[0]);
  });
});
