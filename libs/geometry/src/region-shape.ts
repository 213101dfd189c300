import { DomainError } from "@parfocal/errors";

/** Most magnifications of a region: 4⁴ tiles of the finest under one of the coarsest. */
export const MAX_MAGNIFICATIONS = 5;

/** Most coarse tiles along the side of a region or of a source: 64 of 448 µm are wider than a slide's tissue. */
export const MAX_REGION_TILES = 64;

/**
 * A square of tissue seen at several magnifications, each twice the one before: `regionTiles` r tiles along its side at
 * the coarsest of `levelCount` L magnifications, `r·2^m` at magnification m.
 *
 * Everywhere in this room m counts from the coarsest, 0, to the finest, L−1. Its tokens are in *level order*: coarse
 * magnifications first, each row by row. Source: Zimmermann et al. 2026 (arXiv:2602.22176), eq. 1.
 */
export interface RegionShape {
  readonly regionTiles: number;
  readonly levelCount: number;
}

/** Checks both numbers. @throws {DomainError} INVALID_ARGUMENT with the value and the bound. */
export function assertRegionShape({ regionTiles, levelCount }: RegionShape): void {
  assertWhole("regionTiles", regionTiles, 1, MAX_REGION_TILES);
  assertWhole("levelCount", levelCount, 1, MAX_MAGNIFICATIONS);
}

/** Checks a whole number. @throws {DomainError} INVALID_ARGUMENT with the value and the bounds. */
export function assertWhole(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new DomainError("INVALID_ARGUMENT", `${name} is ${value}, a whole number from ${min} to ${max} is needed`);
}

/** Tiles along the side of a region at magnification m: `r·2^m`. */
export function levelSide(m: number, regionTiles: number): number {
  return regionTiles * 2 ** m;
}

/** Index of the first token of magnification m: `r²(4^m − 1)/3`. */
export function levelOffset(m: number, regionTiles: number): number {
  return (regionTiles ** 2 * (4 ** m - 1)) / 3;
}

/** N: tokens of a region, `r²(4^L − 1)/3`. @throws {DomainError} INVALID_ARGUMENT for a shape out of bounds. */
export function tokenCount(shape: RegionShape): number {
  assertRegionShape(shape);
  return levelOffset(shape.levelCount, shape.regionTiles);
}

/**
 * Indices of the tokens of some magnifications, `[T]`, in the order of the whole region's tokens. A permutation of the
 * whole keeps each magnification to itself, so a subset of the magnifications is a token grid of its own.
 *
 * @throws {DomainError} INVALID_ARGUMENT unless `levels` rise and lie in 0 to L−1.
 */
export function tokensOfLevels(shape: RegionShape, levels: readonly number[]): Int32Array {
  assertRegionShape(shape);
  const indices: number[] = [];
  levels.forEach((m, at) => {
    assertWhole(`levels[${at}]`, m, at === 0 ? 0 : (levels[at - 1] ?? 0) + 1, shape.levelCount - 1);
    const offset = levelOffset(m, shape.regionTiles);
    for (let t = 0; t < levelSide(m, shape.regionTiles) ** 2; t++) indices.push(offset + t);
  });
  return Int32Array.from(indices);
}

/** The magnification of every token, `[N]`. @throws {DomainError} INVALID_ARGUMENT for a shape out of bounds. */
export function tokenMagnifications(shape: RegionShape): Uint8Array {
  const magnifications = new Uint8Array(tokenCount(shape));
  for (let m = 0; m < shape.levelCount; m++) magnifications.fill(m, levelOffset(m, shape.regionTiles));
  return magnifications;
}

/**
 * Magnification m of a tile whose bag calls it `level`: bags count from the finest, 0, this room from the coarsest. Its
 * own inverse, and the only place that knows of the two ways to count.
 */
export function magnificationFromLevel(level: number, levelCount: number): number {
  return levelCount - 1 - level;
}
