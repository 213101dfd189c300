import type { BagMetadata } from "@parfocal/bags";
import type { HostTensor } from "@parfocal/engine";
import { DomainError } from "@parfocal/errors";
import type { BagSize, Model, SideInput } from "@parfocal/models";
import { keptRows, layRegions, type RegionLayout } from "./lay-regions.ts";
import { assertMagnifications, placedTiles, type TileSides } from "./placed-tiles.ts";
import { sidesOfRows, slideGrid } from "./unique-cells.ts";

/** What a model takes of a bag beyond its features, and what the rows are that its head gets. */
export interface MadeSides {
  /** Host tensors by port. */
  readonly tensors: Readonly<Record<string, HostTensor>>;
  /** Sizes of the bag by the names that shapes give them. */
  readonly sizes: Readonly<Record<BagSize, number>>;
  readonly rows: RowSides;
}

/** What lies beside the rows that a model's re-embedder leaves of a bag. */
export interface RowSides extends TileSides {
  readonly n: number;
  readonly metadata: BagMetadata;
}

/** The parts of a model that decide what it takes beyond the features. */
export type SideTaker = Pick<Model, "sideInputs" | "regions" | "outputRows">;

/** What of a bag has to be read, beside its features, before {@link makeSides} can be asked. */
export function neededSides({ sideInputs }: SideTaker): readonly (keyof TileSides)[] {
  const needsLevel = sideInputs.includes("kept") || sideInputs.includes("regions");
  return [...(sideInputs.length > 0 ? (["coords"] as const) : []), ...(needsLevel ? (["level"] as const) : [])];
}

/**
 * Makes the inputs of a model beyond the features, of a bag of `n` tiles.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` when the bag has no coordinates and the model needs them; as {@link placedTiles} and
 * {@link layRegions}.
 */
export function makeSides(
  taker: SideTaker,
  bag: TileSides & { readonly n: number; readonly metadata: BagMetadata },
): MadeSides {
  const layout = layoutOf(taker, bag);
  const kept = layout?.kept ?? keptOf(taker, bag);
  const make: Readonly<Record<SideInput, () => Readonly<Record<string, HostTensor>>>> = {
    coords: () => ({ coords: pairs(coordsOf(bag)) }),
    grid: () => ({ grid: gridTensor(coordsOf(bag), bag.metadata) }),
    kept: () => ({ kept: i32([kept?.length ?? 0], kept ?? new Int32Array()) }),
    regions: () => (layout === undefined ? {} : regionTensors(layout)),
  };
  const made = taker.sideInputs.map((name) => make[name]());
  const sizes = { N: bag.n, M: kept?.length ?? bag.n, R: (layout?.corners.length ?? 0) / 2 };
  return {
    tensors: Object.assign({}, ...made) as MadeSides["tensors"],
    sizes,
    rows: rowsOf(taker, bag, { layout, kept }),
  };
}

type Bag = TileSides & { readonly n: number; readonly metadata: BagMetadata };

function layoutOf({ sideInputs, regions }: SideTaker, bag: Bag): RegionLayout | undefined {
  if (regions === undefined || !sideInputs.includes("regions")) return undefined;
  return layRegions(regions, placedTiles(regions, bag, bag.metadata));
}

function keptOf({ sideInputs, regions }: SideTaker, { level, metadata }: Bag): Int32Array<ArrayBuffer> | undefined {
  if (regions === undefined || !sideInputs.includes("kept")) return undefined;
  const known = assertMagnifications(regions.levelCount, level, metadata);
  return keptRows(regions, { level: known });
}

function regionTensors({ slots, places, corners }: RegionLayout): Record<string, HostTensor> {
  const nRegions = corners.length / 2;
  return { slots: i32([nRegions, slots.length / nRegions], slots), places: i32([places.length], places) };
}

interface Layout {
  readonly layout: RegionLayout | undefined;
  readonly kept: Int32Array | undefined;
}

function rowsOf({ outputRows, regions }: SideTaker, bag: Bag, { layout, kept }: Layout): RowSides {
  const { n, coords, level, metadata } = bag;
  if (outputRows === "regions" && layout !== undefined && regions !== undefined)
    return {
      n: layout.corners.length / 2,
      coords: layout.corners,
      metadata: regionMetadata(regions.regionTiles, metadata),
    };
  if (outputRows !== "kept" || kept === undefined)
    return { n, ...(coords && { coords }), ...(level && { level }), metadata };
  return {
    n: kept.length,
    ...sidesOfRows(bag, kept),
    metadata,
  };
}

/** A row per region: what was said of single tiles does not hold of it, and neighbours are a region apart. */
function regionMetadata(regionTiles: number, metadata: BagMetadata): BagMetadata {
  const {
    tilePx: _tilePx,
    mpp: _mpp,
    stridePx: _stridePx,
    levelCount: _levelCount,
    anchorPx: _anchorPx,
    surrogateLevels: _surrogateLevels,
    level0StridePx,
    ...rest
  } = metadata;
  return { ...rest, ...(level0StridePx !== undefined && { level0StridePx: level0StridePx * regionTiles }) };
}

function coordsOf({ coords }: Bag): Int32Array {
  if (coords !== undefined) return coords;
  throw new DomainError("GEOMETRY_MISMATCH", "the bag has no coordinates; the model needs them");
}

/** Cells `[N, 2]` i32 of tiles on the slide's grid, from their corners. */
function gridTensor(coords: Int32Array, metadata: BagMetadata): HostTensor {
  return pairs(slideGrid(coords, metadata).grid);
}

function pairs(values: Int32Array): HostTensor {
  return i32([values.length / 2, 2], values);
}

function i32(shape: readonly number[], { buffer, byteOffset, byteLength }: Int32Array): HostTensor {
  return { dtype: "i32", shape, data: new Uint8Array(buffer, byteOffset, byteLength) };
}
