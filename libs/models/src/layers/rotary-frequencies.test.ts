import { gridAngles, rotatePairs, runEagerly, tf } from "@parfocal/tensor";
import { describe, expect, it } from "vitest";
import { inDoublePrecision } from "../testing/double-precision.ts";
import { languageFrequencies, pixelFrequencies } from "./rotary-frequencies.ts";

const FAMILIES = {
  pixel: (n: number) => pixelFrequencies(n, 400),
  lang: (n: number) => languageFrequencies(n, 10_000),
};
type Family = keyof typeof FAMILIES;

/** `values` `[N, width]` turned by their cells, in f64. */
function turned(family: Family, values: readonly number[], cells: readonly number[], heads = 1): number[] {
  let result: number[] = [];
  const build = () => {
    const nTiles = cells.length / 2;
    const width = values.length / nTiles;
    const grid = tf.tensor2d([...cells], [nTiles, 2], "int32");
    const angles = gridAngles(grid, FAMILIES[family](width / heads / 4));
    const x = tf.tensor3d([...values], [1, nTiles, width]);
    result = Array.from(rotatePairs(x, tf.cos(angles), tf.sin(angles), heads).dataSync());
    return { done: tf.scalar(1) };
  };
  inDoublePrecision(() => runEagerly({ name: "rotate", inputs: [], build }, {}));
  return result;
}

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
const radians = (family: Family, n: number) => {
  const { steps, stepsPerTurn } = FAMILIES[family](n);
  return steps.map((step) => (step / stepsPerTurn) * 2 * Math.PI);
};

describe("frequencies", () => {
  it("of heads of 64 are those of F2", () => {
    const pixel = radians("pixel", 16);
    expect(pixel).toHaveLength(16);
    for (const [j, value] of [[0, 0.00785398], [1, 0.11205014], [15, 1.57079633]] as const) // biome-ignore format: one line
      expect(pixel[j]).toBeCloseTo(value, 8);
    const lang = radians("lang", 16);
    for (const [
      j,
      value,
    ] of [[0, 1], [1, 0.56234133], [2, 0.31622777], [14, 0.00031622776], [15, 0.00017782794]] as const) // biome-ignore format: one line
      expect(lang[j]).toBeCloseTo(value, 8);
  });
});

describe("rotation by the cell", () => {
  const ramp = [1, 2, 3, 4, 5, 6, 7, 8];

  it.each([
    ["pixel", [0.9526029, 2.02300463, 4, -3, 4.76058629, 6.1916733, -8, 7]],
    ["lang", [-1.27223251, -1.83886499, 2.8786681, 4.08818664, 7.17185658, -3.09264826, 6.59141847, 8.33985627]],
  ] as const)("gives the numbers of F1 in the %s family", (family, expected) => {
    for (const [i, value] of turned(family, ramp, [3, 5]).entries()) expect(value).toBeCloseTo(expected[i] ?? 0, 7);
  });

  it.each(["pixel", "lang"] as const)("depends on differences of cells alone in the %s family (F3)", (family) => {
    const q = Array.from({ length: 64 }, (_, i) => Math.sin(i + 1));
    const k = Array.from({ length: 64 }, (_, i) => Math.cos(3 * i));
    const score = (dx: number, dy: number) =>
      dot(turned(family, q, [3 + dx, 5 + dy]), turned(family, k, [11 + dx, 2 + dy]));
    expect(Math.abs(score(7, 2) - score(0, 0))).toBeLessThan(1e-12 * 64);
    expect(Math.abs(score(100_000, 90_000) - score(0, 0))).toBeLessThan(1e-6);
    expect(dot(turned(family, q, [3, 5]), turned(family, q, [3, 5]))).toBeCloseTo(dot(q, q), 11);
    const swapped = dot(turned(family, q, [5, 3]), turned(family, k, [2, 11]));
    expect(Math.abs(swapped - score(0, 0))).toBeGreaterThan(1e-3);
    expect(turned(family, q, [0, 0])).toEqual(q);
  });
});
