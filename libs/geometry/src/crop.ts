import { assertRegionShape, assertWhole, type RegionShape } from "./region-shape.ts";
import { tokenIndex, tokenPlaces } from "./token.ts";

/** A region cut out of a larger one. */
export interface Crop {
  /** s: coarse tiles along the side of the source, at least those of the region. */
  readonly sourceTiles: number;
  /** What is cut out. */
  readonly shape: RegionShape;
  /** (oy, ox): rows and columns of whole coarse tiles before it, each 0 to s − r. */
  readonly offset: readonly [number, number];
}

/**
 * Token of the source (in its own level order) that each token of the crop reads, `[N]`. Offsets are whole coarse tiles,
 * so every magnification moves by whole tiles.
 *
 * @throws {DomainError} INVALID_ARGUMENT when the crop does not lie in its source.
 * Source: Zimmermann et al. 2026, "quantised contexts" of CMEM.
 */
export function cropIndices({ sourceTiles, shape, offset: [oy, ox] }: Crop): Int32Array {
  assertRegionShape(shape);
  assertRegionShape({ ...shape, regionTiles: sourceTiles });
  const room = sourceTiles - shape.regionTiles;
  assertWhole("sourceTiles − regionTiles", room, 0, sourceTiles);
  assertWhole("offset[0]", oy, 0, room);
  assertWhole("offset[1]", ox, 0, room);
  return Int32Array.from(tokenPlaces(shape), ({ m, i, j }) =>
    tokenIndex({ m, i: i + oy * 2 ** m, j: j + ox * 2 ** m }, sourceTiles),
  );
}
