import { DomainError } from "@parfocal/errors";
import { latticeStride } from "@parfocal/geometry";
import type { CoordUnit } from "./coord-unit.ts";

/** Pixels of a tile when nothing tells: one tile, or tiles that share no row and no column. */
const FALLBACK_TILE_PX = 256;

/**
 * Distance between neighbouring tiles, in the unit of `coords` (`[N, 2]`, x then y, row-major): `latticeStride`. Without two tiles in line,
 * what N tiles spread evenly over the extent would have. At least 1. O(N log N).
 */
export function inferStridePx(coords: Int32Array): number {
  return latticeStride(coords) ?? evenSpacing(coords);
}

function evenSpacing(coords: Int32Array): number {
  const { width, height } = extentOf(coords);
  if (width === 0 && height === 0) return FALLBACK_TILE_PX;
  return Math.max(1, Math.round(Math.sqrt((Math.max(1, width) * Math.max(1, height)) / (coords.length / 2))));
}

/** The box of the tiles' corners, without the last tile's own size. */
export interface Extent {
  readonly minX: number;
  readonly minY: number;
  readonly width: number;
  readonly height: number;
}

/** Extent of `coords` `[N, 2]`, N at least 1. */
export function extentOf(coords: Int32Array): Extent {
  let [minX, minY, maxX, maxY] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < coords.length; i += 2) {
    const [x, y] = [coords[i] ?? 0, coords[i + 1] ?? 0];
    minX = Math.min(minX, x);
    maxX = Math.max(maxX, x);
    minY = Math.min(minY, y);
    maxY = Math.max(maxY, y);
  }
  return { minX, minY, width: maxX - minX, height: maxY - minY };
}

/** Tiles with one value each. */
export interface TileValues {
  /** `[N, 2]`, pixels of each tile's top left, x then y. */
  readonly coords: Int32Array;
  /** `[N]`, finite. */
  readonly values: Float32Array;
  /** `[N]`, 0 to 100: where each value stands among them, as it came with them; absent: it is made of them. */
  readonly percentiles?: Float32Array;
  /** Pixels of a tile's side; inferred from `coords` when absent. */
  readonly tilePx?: number;
  /** Which pixels `coords` and `tilePx` count. Default "level0_px". */
  readonly coordUnit?: CoordUnit;
}

/** Tiles of which it may not be known where they lie. */
export type MaybePlaced = Omit<TileValues, "coords"> & Partial<Pick<TileValues, "coords">>;

/**
 * Throws unless there is a tile, a value for each, all finite, a place for each where there are any, and a tile size that is positive.
 *
 * @throws {DomainError} `EMPTY_BAG`, `SHAPE_MISMATCH`, `NON_FINITE` or `INVALID_ARGUMENT`.
 */
export function assertTileValues({ coords, values, percentiles, tilePx }: MaybePlaced): void {
  if (values.length === 0) throw new DomainError("EMPTY_BAG", "there are 0 tiles to draw; at least 1 is needed");
  if (coords !== undefined && coords.length !== 2 * values.length) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `${coords.length} coordinates for ${values.length} values; there must be 2 for each`,
    );
  }
  if (percentiles !== undefined && percentiles.length !== values.length) {
    const message = `${percentiles.length} percentiles for ${values.length} values; there must be 1 for each`;
    throw new DomainError("SHAPE_MISMATCH", message);
  }
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new DomainError("NON_FINITE", `value ${bad} is ${values[bad]}; it must be finite`);
  if (tilePx !== undefined && !(tilePx > 0 && Number.isFinite(tilePx))) {
    throw new DomainError("INVALID_ARGUMENT", `tile side is ${tilePx} px; it must be above 0`);
  }
}
