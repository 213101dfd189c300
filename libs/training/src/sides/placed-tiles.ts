import type { BagMetadata } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { RegionRule } from "@parfocal/models";

/** The tiles of a bag of several magnifications on its grid. */
export interface PlacedTiles {
  /** `[N, 2]` (x, y) level-0 pixels of corners. */
  readonly coords: Int32Array;
  /** `[N]`, 0 for the finest magnification. */
  readonly level: Uint8Array;
  /** Where the grid of the coarsest magnification begins, (x, y). */
  readonly anchorPx: readonly [number, number];
  /** Side of a tile of the coarsest magnification. */
  readonly stridePx: number;
}

/** What lies beside the features of a bag, as far as it was read. */
export interface TileSides {
  readonly coords?: Int32Array;
  readonly level?: Uint8Array;
}

/**
 * The tiles of a bag that a model looks at by magnification.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` when the bag is of one magnification, of another number of them than the model, or
 * lacks the grid that regions lie on.
 */
export function placedTiles({ levelCount }: RegionRule, sides: TileSides, metadata: BagMetadata): PlacedTiles {
  const level = assertMagnifications(levelCount, sides.level, metadata);
  const { anchorPx, level0StridePx: stridePx } = metadata;
  if (sides.coords !== undefined && anchorPx !== undefined && stridePx !== undefined)
    return { coords: sides.coords, level, anchorPx, stridePx };
  const missing = sides.coords === undefined ? "coordinates" : anchorPx === undefined ? "anchor" : "stride";
  throw new DomainError("GEOMETRY_MISMATCH", `the bag has no ${missing}; a bag of regions is needed`);
}

/**
 * The magnification of every tile, `[N]`, 0 for the finest.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` naming both numbers of magnifications.
 */
export function assertMagnifications(
  levelCount: number,
  level: Uint8Array | undefined,
  metadata: BagMetadata,
): Uint8Array {
  const found = level === undefined ? 1 : (metadata.levelCount ?? 1);
  if (level === undefined || metadata.levelCount === undefined || found !== levelCount) {
    const message = `the number of magnifications is ${found} in the bag and ${levelCount} in what the model looks at`;
    throw new DomainError("GEOMETRY_MISMATCH", message, {
      details: { field: "levelCount", expected: `${levelCount}`, found: `${found}` },
    });
  }
  const beyond = level.find((value) => value >= levelCount);
  if (beyond === undefined) return level;
  throw new DomainError("GEOMETRY_MISMATCH", `a tile is of level ${beyond}; the bag has ${levelCount} magnifications`);
}
