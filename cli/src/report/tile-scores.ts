import type { Column, Row, Table } from "@parfocal/tables";
import type { CoordUnit } from "./coord-unit.ts";
import { percentilesIn } from "./percentiles.ts";
import { assertTileValues, inferStridePx, type MaybePlaced, type TileValues } from "./tile-grid.ts";

/** The scores of a slide's tiles in the order of their rows, one map for all classes or one for each; without places where the bag has none. */
export interface ScoreMap extends MaybePlaced {
  /** The class it belongs to; empty when the one map is shared. */
  readonly label: string;
  /** Whether values are the tiles' own class scores, of any sign and sum; absent: weights that sum to 1. */
  readonly areClassScores?: boolean;
  /** Whether a value stands for all tiles of a square, and for no row of the bag; absent: for one. */
  readonly areCells?: true;
}

/** A map that can be drawn. */
export type PlacedMap = ScoreMap & Pick<TileValues, "coords">;

/** Whether it is known where the tiles lie. */
export function isPlaced(map: ScoreMap): map is PlacedMap {
  return map.coords !== undefined;
}

/**
 * The scores of all tiles as a table: `tile`, the row of the bag from 0, `x`, `y`, `side`, the `unit` that these count (`level0_px` or
 * `encoded_px`), and of each map the raw score, its percentile within the slide (0 to 100) and, of weights, how many times an even share it is. Columns of a class end in its name.
 * Bags without coordinates have no `x`, `y`, `side` and `unit`, squares of several tiles no `tile`: these cells are empty.
 *
 * @throws {DomainError} as `assertTileValues`.
 */
export function tileScoresTable(maps: readonly ScoreMap[]): Table {
  const [first] = maps;
  if (first === undefined) return { columns: [{ name: "x", type: "integer" }], rows: [] };
  for (const map of maps) assertTileValues(map);
  const placeOf = placesOf(first);
  const scored = maps.map((map) => ({ map, percentiles: percentilesIn(map) }));
  const columns: Column[] = [
    ...(["tile", "x", "y"] as const).map((name) => ({ name, type: "integer" }) as const),
    { name: "side", type: "number" },
    { name: "unit", type: "text" },
    ...maps.flatMap((map) =>
      scoresOf(map).map((name) => ({ name: columnOf(name, map.label), type: "number" }) as const),
    ),
  ];
  const rows = Array.from(first.values, (_, i): Row => {
    const scores = scored.flatMap(({ map, percentiles }) => {
      const numbers = numbersOf(map, percentiles, i);
      return scoresOf(map).map((name) => [columnOf(name, map.label), numbers[name]] as const);
    });
    return { ...placeOf(i), ...Object.fromEntries(scores) };
  });
  return { columns, rows };
}

/** Which tile a value is of, and where it lies. */
interface TilePlace {
  readonly tile: number | null;
  readonly x: number | null;
  readonly y: number | null;
  readonly side: number | null;
  readonly unit: CoordUnit | null;
}

/** The place of each value of a map. */
function placesOf(map: ScoreMap): (value: number) => TilePlace {
  const tileOf = (i: number) => (map.areCells === true ? null : i);
  if (!isPlaced(map)) return (i) => ({ tile: tileOf(i), x: null, y: null, side: null, unit: null });
  const { coords, tilePx: side = inferStridePx(coords), coordUnit: unit = "level0_px" } = map;
  return (i) => ({ tile: tileOf(i), x: coords[2 * i] ?? null, y: coords[2 * i + 1] ?? null, side, unit });
}

const SCORES = ["score", "percentile", "times_even"] as const;

/** A class score is no share of anything. */
function scoresOf({ areClassScores = false }: Pick<ScoreMap, "areClassScores">): readonly (typeof SCORES)[number][] {
  return areClassScores ? SCORES.slice(0, 2) : SCORES;
}

function numbersOf(map: ScoreMap, percentiles: Float64Array, tile: number) {
  const score = map.values[tile] ?? 0;
  const timesEven = map.areClassScores === true ? {} : { times_even: score * map.values.length };
  return { score, percentile: 100 * (percentiles[tile] ?? 0), ...timesEven };
}

function columnOf(name: string, label: string): string {
  return label === "" ? name : `${name}_${label}`;
}

/**
 * The tiles of a slide that weigh most and least in each map, at most `count` of each, as a table: `map`, `end` (`top` or `bottom`),
 * `rank` from 1, `tile`, `x`, `y`, `side`, `unit`, `score`, `percentile` and, where there are weights, `times_even`. No tile is at both ends; of equal scores the first comes first.
 */
export function extremeTilesTable(maps: readonly ScoreMap[], count: number): Table {
  const text = (name: string): Column => ({ name, type: "text" });
  const integer = (name: string): Column => ({ name, type: "integer" });
  const number = (name: string): Column => ({ name, type: "number" });
  return {
    columns: [
      ...[text("map"), text("end"), integer("rank")],
      ...[integer("tile"), integer("x"), integer("y"), number("side"), text("unit")],
      ...scoresOf({ areClassScores: maps.length > 0 && maps.every((map) => map.areClassScores === true) }).map(number),
    ],
    rows: maps.flatMap((map) => extremeRows(map, count)),
  };
}

function extremeRows(map: ScoreMap, count: number): Row[] {
  const { label, values } = map;
  const placeOf = placesOf(map);
  const percentiles = percentilesIn(map);
  const order = Array.from(values, (_, i) => i).sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b);
  const nTop = Math.min(count, Math.ceil(order.length / 2));
  const nBottom = Math.min(count, order.length - nTop);
  const rowOf = (end: string) => (i: number, place: number) => ({
    ...{ map: label === "" ? "all classes" : label, end, rank: place + 1 },
    ...placeOf(i),
    ...numbersOf(map, percentiles, i),
  });
  const bottom = order.slice(order.length - nBottom).reverse();
  return [...order.slice(0, nTop).map(rowOf("top")), ...bottom.map(rowOf("bottom"))];
}
