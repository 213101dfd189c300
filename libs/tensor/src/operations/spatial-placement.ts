import type { Tensor } from "@tensorflow/tfjs";
import { activeRecorder, type Recorder } from "../capture/recorder.ts";
import { dims, int, type RecordedValue } from "../capture/recording.ts";
import { cast, reshape } from "../kernels/kernel.ts";
import { emitSlice } from "../kernels/shape.ts";
import { tf } from "../tf.ts";
import { emitted } from "./define-operation.ts";
import { countVector, createGraphMath, type IntegerMath, sizeVector } from "./integer-math.ts";
import type { Placement } from "./place-rows.ts";

// Legend: N tiles, L regions along a side, P places of a region.

/** Sizes of {@link spatialPlacement}. */
export interface SpatialRegions {
  /** L, as a number or a derived size. */
  readonly perSide: number;
  /** P, at least ⌈N / L²⌉. */
  readonly nPlaces: number;
  /** L² · P. */
  readonly nTotal: number;
}

/** Both coordinates of a tile in one whole number that sorts by y, then x; coordinates are below 2³¹. */
const KEY_BASE = 2 ** 31;
/** Ranks below it make keys of equal coordinates distinct, for runtimes whose sort keeps no order of equals. */
const MAX_TILES = 2 ** 20;

/**
 * Tiles in L × L regions by their coordinates `[N, 2]` i32 (x, y): bands of equally many tiles from top to bottom, each cut into
 * L regions of equally many tiles from left to right (numbers differ by at most one), and in each region the tiles row by row. On a full raster whose
 * side is a multiple of L this is the square that the storage order of a raster gives. Does not depend on the order of the tiles, except among tiles that
 * have the very same coordinates. No gradient.
 */
export function spatialPlacement(coords: Tensor, regions: SpatialRegions): Placement {
  const recorder = activeRecorder();
  if (recorder === undefined) return placeEagerly(coords, regions);
  return recorder.as("spatialPlacement", () => emitPlacement(recorder, recorder.valueOf(coords), regions));
}

/** Number of the part that rank r of n falls into when n are cut into L parts [⌊pn/L⌋, ⌊(p+1)n/L⌋). */
function partOfRank<T>(math: IntegerMath<T>, rank: T, size: T, nParts: T): T {
  const one = math.constant(1);
  return math.div(math.sub(math.mul(math.add(rank, one), nParts), one), size);
}

/** First rank of a part. */
function firstOfPart<T>(math: IntegerMath<T>, part: T, size: T, nParts: T): T {
  return math.div(math.mul(part, size), nParts);
}

function placeEagerly(coords: Tensor, { perSide, nPlaces, nTotal }: SpatialRegions): Placement {
  const at = coords.dataSync();
  const n = coords.shape[0] ?? 0;
  const byRow = (a: number, b: number) => at[2 * a + 1]! - at[2 * b + 1]! || at[2 * a]! - at[2 * b]! || a - b;
  const byColumn = (a: number, b: number) => at[2 * a]! - at[2 * b]! || byRow(a, b);
  const tiles = Array.from({ length: n }, (_, i) => i).sort(byRow);
  const source = new Int32Array(nTotal).fill(n);
  const place = new Int32Array(n);
  cut(tiles, perSide).forEach((band, row) => {
    cut(band.sort(byColumn), perSide).forEach((region, column) => {
      region.sort(byRow).forEach((tile, i) => {
        const target = (row * perSide + column) * nPlaces + i;
        source[target] = tile;
        place[tile] = target;
      });
    });
  });
  return { source: tf.tensor1d(source, "int32"), place: tf.tensor1d(place, "int32") };
}

/** A list in `nParts` parts of nearly equal size. */
function cut(list: readonly number[], nParts: number): number[][] {
  const start = (part: number): number => Math.floor((part * list.length) / nParts);
  return Array.from({ length: nParts }, (_, part) => list.slice(start(part), start(part + 1)));
}

function emitPlacement(
  recorder: Recorder,
  coords: RecordedValue,
  { perSide, nPlaces, nTotal }: SpatialRegions,
): Placement {
  const math = createGraphMath(recorder);
  const nTiles = coords.shape[0] ?? 0;
  const [n, l, p] = [nTiles, perSide, nPlaces].map((size) => sizeVector(recorder, size)) as [
    RecordedValue,
    RecordedValue,
    RecordedValue,
  ];
  const [x, y] = [0, 1].map((axis) => coordinate(recorder, coords, axis)) as [RecordedValue, RecordedValue];
  const rank = countVector(recorder, nTiles); // [N]
  const base = math.constant(KEY_BASE);

  const byRow = sortOrder(recorder, math.add(math.mul(y, base), x)); // tile at each rank from top to bottom
  const band = partOfRank(math, rank, n, l);
  const bandAndX = math.add(math.mul(band, base), gather(recorder, x, byRow));
  const byColumn = sortOrder(recorder, math.add(math.mul(bandAndX, math.constant(MAX_TILES)), rank)); // rank by row, at each rank by band and column
  const first = firstOfPart(math, band, n, l); // the band of rank r is the same in both orders
  const size = math.sub(firstOfPart(math, math.add(band, math.constant(1)), n, l), first);
  const column = partOfRank(math, math.sub(rank, first), size, l);
  const region = math.add(math.mul(band, l), column);
  const byRegion = sortOrder(recorder, math.add(math.mul(region, base), byColumn)); // rank by band and column, at each final rank
  const start = math.add(first, firstOfPart(math, column, size, l)); // regions ascend with the rank, too
  const target = math.add(math.mul(region, p), math.sub(rank, start)); // place at each final rank

  const tile = gather(recorder, byRow, gather(recorder, byColumn, byRegion)); // tile at each final rank
  const place = scatter(recorder, rank, tile, target);
  const empty = recorder.emit("Expand", [n, dims([nTotal])], { dtype: "i64", shape: [nTotal] });
  const source = scatter(recorder, empty, target, tile);
  return {
    source: emitted(cast(recorder, source, "i32")),
    place: emitted(cast(recorder, place, "i32")),
  };
}

function coordinate(recorder: Recorder, coords: RecordedValue, axis: number): RecordedValue {
  const n = coords.shape[0] ?? 0;
  const column = emitSlice(recorder, coords, [0, axis], [n, 1]);
  return cast(recorder, reshape(recorder, column, [n]), "i64");
}

/** Positions of the elements in ascending order; equal elements keep theirs. */
function sortOrder(recorder: Recorder, keys: RecordedValue): RecordedValue {
  const { shape } = keys;
  const attributes = { axis: int(0), largest: int(0), sorted: int(1) };
  const types = [
    { dtype: "i64" as const, shape },
    { dtype: "i64" as const, shape },
  ];
  const [, order] = recorder.emitMany("TopK", [keys, dims(shape)], types, { attributes });
  return order ?? keys;
}

function gather(recorder: Recorder, values: RecordedValue, indices: RecordedValue): RecordedValue {
  return recorder.emit("Gather", [values, indices], indices, { attributes: { axis: int(0) } });
}

/** `values` with element `places[i]` replaced by `updates[i]`; places are distinct. */
function scatter(
  recorder: Recorder,
  values: RecordedValue,
  places: RecordedValue,
  updates: RecordedValue,
): RecordedValue {
  return recorder.emit("ScatterElements", [values, places, updates], values, { attributes: { axis: int(0) } });
}
