import type { Column, Row, Table } from "@parfocal/tables";
import type { CoordUnit } from "./coord-unit.ts";
import { percentilesOf } from "./percentiles.ts";
import { assertTileValues, inferStridePx, type TileValues } from "./tile-grid.ts";

/** The scores of a slide's tiles, one map for all classes or one for each. */
export interface ScoreMap extends TileValues {
  /** The class it belongs to; empty when the one map is shared. */
  readonly label: string;
}

/**
 * The scores of all tiles as a table: `x`, `y`, `side`, the `unit` that these count (`level0_px` or `encoded_px`), and of each map the raw
 * score, its percentile within the slide (0 to 100) and how many times an even share it is. Columns of a class end in its name.
 *
 * @throws {DomainError} as `assertTileValues`.
 */
export function tileScoresTable(maps: readonly ScoreMap[]): Table {
  const [first] = maps;
  if (first === undefined) return { columns: [{ name: "x", type: "integer" }], rows: [] };
  for (const map of maps) assertTileValues(map);
  const side = first.tilePx ?? inferStridePx(first.coords);
  const unit = unitOf(first);
  const scored = maps.map((map) => ({ ...map, percentiles: percentilesOf(map.values) }));
  const columns: Column[] = [
    ...(["x", "y"] as const).map((name) => ({ name, type: "integer" }) as const),
    { name: "side", type: "number" },
    { name: "unit", type: "text" },
    ...maps.flatMap(({ label }) => SCORES.map((name) => ({ name: columnOf(name, label), type: "number" }) as const)),
  ];
  const rows = Array.from(first.values, (_, i): Row => {
    const scores = scored.flatMap(({ label, values, percentiles }) => {
      const [score, percentile] = [values[i] ?? 0, 100 * (percentiles[i] ?? 0)];
      const numbers = { score, percentile, times_even: score * values.length };
      return SCORES.map((name) => [columnOf(name, label), numbers[name]] as const);
    });
    return { x: first.coords[2 * i], y: first.coords[2 * i + 1], side, unit, ...Object.fromEntries(scores) };
  });
  return { columns, rows };
}

function unitOf({ coordUnit = "level0_px" }: ScoreMap): CoordUnit {
  return coordUnit;
}

const SCORES = ["score", "percentile", "times_even"] as const;

function columnOf(name: string, label: string): string {
  return label === "" ? name : `${name}_${label}`;
}

/**
 * The tiles of a slide that weigh most and least in each map, at most `count` of each, as a table: `map`, `end` (`top` or `bottom`),
 * `rank` from 1, `x`, `y`, `side`, `unit`, `score`, `percentile`, `times_even`. No tile is at both ends; of equal scores the first comes first.
 */
export function extremeTilesTable(maps: readonly ScoreMap[], count: number): Table {
  const text = (name: string): Column => ({ name, type: "text" });
  const integer = (name: string): Column => ({ name, type: "integer" });
  const number = (name: string): Column => ({ name, type: "number" });
  return {
    columns: [
      ...[text("map"), text("end"), integer("rank"), integer("x"), integer("y"), number("side"), text("unit")],
      ...SCORES.map(number),
    ],
    rows: maps.flatMap((map) => extremeRows(map, count)),
  };
}

function extremeRows(map: ScoreMap, count: number): Row[] {
  const { label, coords, values, tilePx } = map;
  const side = tilePx ?? inferStridePx(coords);
  const percentiles = percentilesOf(values);
  const order = Array.from(values, (_, i) => i).sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b);
  const nTop = Math.min(count, Math.ceil(order.length / 2));
  const nBottom = Math.min(count, order.length - nTop);
  const rowOf = (end: string) => (i: number, place: number) => ({
    ...{ map: label === "" ? "all classes" : label, end, rank: place + 1 },
    ...{ x: coords[2 * i], y: coords[2 * i + 1], side, unit: unitOf(map) },
    ...{ score: values[i], percentile: 100 * (percentiles[i] ?? 0), times_even: (values[i] ?? 0) * values.length },
  });
  const bottom = order.slice(order.length - nBottom).reverse();
  return [...order.slice(0, nTop).map(rowOf("top")), ...bottom.map(rowOf("bottom"))];
}
