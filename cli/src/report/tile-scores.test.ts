import type { Row } from "@parfocal/tables";
import { describe, expect, it } from "vitest";
import { extremeTilesTable, tileScoresTable } from "./tile-scores.ts";

const COORDS = Int32Array.of(0, 0, 256, 0, 0, 256, 256, 256, 512, 0);
const map = (label: string, values: readonly number[]) => ({
  label,
  coords: COORDS,
  values: Float32Array.from(values),
});

describe("tile scores", () => {
  it("give place, raw score, percentile and times an even share of every tile", () => {
    const { columns, rows } = tileScoresTable([map("", [0.5, 0.125, 0.125, 0.25, 0])]);
    expect(columns.map(({ name }) => name)).toEqual([
      "tile",
      "x",
      "y",
      "side",
      "unit",
      "score",
      "percentile",
      "times_even",
    ]);
    expect(rows).toEqual([
      { tile: 0, x: 0, y: 0, side: 256, unit: "level0_px", score: 0.5, percentile: 90, times_even: 2.5 },
      { tile: 1, x: 256, y: 0, side: 256, unit: "level0_px", score: 0.125, percentile: 40, times_even: 0.625 },
      { tile: 2, x: 0, y: 256, side: 256, unit: "level0_px", score: 0.125, percentile: 40, times_even: 0.625 },
      { tile: 3, x: 256, y: 256, side: 256, unit: "level0_px", score: 0.25, percentile: 70, times_even: 1.25 },
      { tile: 4, x: 512, y: 0, side: 256, unit: "level0_px", score: 0, percentile: 10, times_even: 0 },
    ]);
  });

  it("have columns of their own for each class", () => {
    const { columns, rows } = tileScoresTable([map("a", [1, 0, 0, 0, 0]), map("b", [0, 0, 0, 0, 1])]);
    expect(columns.map(({ name }) => name).slice(5)).toEqual([
      "score_a",
      "percentile_a",
      "times_even_a",
      "score_b",
      "percentile_b",
      "times_even_b",
    ]);
    expect(rows[0]).toMatchObject({ score_a: 1, score_b: 0, times_even_a: 5 });
  });

  it("that are class scores have no even share to be times of", () => {
    const scored = { ...map("a", [-1.5, 0, 2, 0, 0]), areClassScores: true };
    const { columns, rows } = tileScoresTable([scored]);
    expect(columns.map(({ name }) => name).slice(5)).toEqual(["score_a", "percentile_a"]);
    expect(rows[0]).toEqual({ tile: 0, x: 0, y: 0, side: 256, unit: "level0_px", score_a: -1.5, percentile_a: 10 });
    const ends = extremeTilesTable([scored], 1);
    expect(ends.columns.map(({ name }) => name).slice(8)).toEqual(["score", "percentile"]);
    expect(ends.rows.map(({ score }) => score)).toEqual([2, -1.5]);
  });

  it("name the unit of their places, level-0 pixels unless told", () => {
    const whole = { ...map("", [1, 0, 0, 0, 0]), coordUnit: "encoded_px" } as const;
    const unitsOf = ({ rows }: { readonly rows: readonly Row[] }) => [...new Set(rows.map(({ unit }) => unit))];
    expect(unitsOf(tileScoresTable([whole]))).toEqual(["encoded_px"]);
    expect(unitsOf(extremeTilesTable([whole], 2))).toEqual(["encoded_px"]);
    expect(unitsOf(extremeTilesTable([map("", [1, 0, 0, 0, 0])], 2))).toEqual(["level0_px"]);
    expect(extremeTilesTable([whole], 2).columns.map(({ name }) => name)).toEqual(
      ["map", "end", "rank", "tile", "x", "y", "side", "unit"].concat(["score", "percentile", "times_even"]),
    );
  });

  it("of a bag without coordinates name tiles by their row, in the same columns", () => {
    const { coords: _, ...unplaced } = map("", [0.5, 0.125, 0.125, 0.25, 0]);
    const nowhere = { x: null, y: null, side: null, unit: null };
    const { columns, rows } = tileScoresTable([{ ...unplaced, coordUnit: "level0_px", tilePx: 256 }]);
    expect(columns).toEqual(tileScoresTable([map("", [1, 0, 0, 0, 0])]).columns);
    expect(rows[3]).toEqual({ tile: 3, ...nowhere, score: 0.25, percentile: 70, times_even: 1.25 });
    expect(rows.map(({ tile }) => tile)).toEqual([0, 1, 2, 3, 4]);
    const ends = extremeTilesTable([unplaced], 2).rows;
    expect(ends.map(({ end, tile, x, score }) => [end, tile, x, score])).toEqual([
      ["top", 0, null, 0.5],
      ["top", 3, null, 0.25],
      ["bottom", 4, null, 0],
      ["bottom", 2, null, 0.125],
    ]);
  });

  it("of squares of several tiles name no row", () => {
    const cells = { ...map("", [1, 0, 0, 0, 0]), areCells: true } as const;
    expect(tileScoresTable([cells]).rows[1]).toMatchObject({ tile: null, x: 256, y: 0 });
    expect(extremeTilesTable([cells], 1).rows[0]).toMatchObject({ tile: null, x: 0, y: 0 });
  });

  it("are refused when they are no numbers", () => {
    expect(() => tileScoresTable([map("", [1, Number.NaN, 0, 0, 0])])).toThrow("value 1 is NaN");
  });
});

describe("the tiles at both ends", () => {
  it("are listed by rank, the first of equals first", () => {
    const { rows } = extremeTilesTable([map("", [0.5, 0.125, 0.125, 0.25, 0])], 2);
    expect(rows.map(({ map: name, end, rank, x, y, score }) => [name, end, rank, x, y, score])).toEqual([
      ["all classes", "top", 1, 0, 0, 0.5],
      ["all classes", "top", 2, 256, 256, 0.25],
      ["all classes", "bottom", 1, 512, 0, 0],
      ["all classes", "bottom", 2, 0, 256, 0.125],
    ]);
  });

  it("share no tile, however few there are", () => {
    const { rows } = extremeTilesTable([map("a", [0.5, 0.125, 0.125, 0.25, 0])], 10);
    expect(rows.map(({ end }) => end)).toEqual(["top", "top", "top", "bottom", "bottom"]);
    expect(new Set(rows.map(({ x, y }) => `${x} ${y}`)).size).toBe(5);
    const one = { label: "", coords: Int32Array.of(3, 4), values: Float32Array.of(1) };
    expect(extremeTilesTable([one], 5).rows).toMatchObject([{ end: "top", rank: 1, x: 3, y: 4 }]);
  });
});
