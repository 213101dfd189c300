import { DomainError } from "@parfocal/errors";
import type { BagMetadata } from "../bag.ts";
import { namedLevelOf } from "./named-levels.ts";
import type { ResolvedRegionOptions } from "./region-options.ts";

/** A bag with its place among the magnifications. */
export interface Magnification {
  /** Index of the bag. */
  readonly bag: number;
  /** 0 = coarsest. */
  readonly m: number;
  /** Side of a tile in level-0 pixels, as the bag's own metadata tell it. */
  readonly footprintPx: number;
  /** Tiles of the bag per tile's side: 1, or more where they overlap. */
  readonly overlap: number;
}

/** Share by which a stride may miss a whole multiple of the tile: nominal resolutions are off by up to a tenth. */
const STRIDE_TOLERANCE = 0.15;

/** The same where the file tells both in pixels of the tile: only rounding is left. */
const TOLD_STRIDE_TOLERANCE = 0.01;

/** Least side of the finest tiles, level-0 pixels: below it rounded coordinates no longer tell cells apart. */
const MIN_TILE_PX = 4;

/**
 * Which magnification each bag is, coarsest first, from the sides of their tiles on level 0: from the real stride where
 * the bag has one, else from tile, resolution and level 0's resolution. The coarsest bag is the coarsest magnification, or
 * where levels are named the one of its resolution.
 *
 * @throws {DomainError} GEOMETRY_MISMATCH when a side is not known (naming what to give), when ratios are no powers of 2
 * (naming both sides), when bags share a magnification, when fewer are spanned than asked for and none are named, when a bag is
 * none of the named levels, when the finest one would have to be made up, or when tiles overlap.
 */
export function magnificationsOf(
  metadata: readonly BagMetadata[],
  options: ResolvedRegionOptions,
): readonly Magnification[] {
  const pxPerUm = pixelsPerMicrometre(metadata);
  const sides = metadata.map((one, bag) => ({ bag, ...sideOf(one, bag, pxPerUm) }));
  sides.sort((a, b) => b.footprintPx - a.footprintPx);
  const { levelMpps } = options;
  const levelOf = (at: number) => namedLevelOf(resolutionOf(metadata, sides[at]), levelMpps);
  let m = levelMpps.length === 0 || sides.length === 0 ? 0 : levelOf(0);
  const placed = sides.map((side, at): Magnification => {
    const coarser = sides[at - 1];
    m += coarser === undefined ? 0 : doublings(coarser, side, options.ratioTolerance);
    if (levelMpps.length > 0) assertLevel(side, m, levelOf(at));
    return { ...side, m };
  });
  if (levelMpps.length === 0) assertSpan(placed, options.levelCount);
  if (options.surrogateLevels === true) assertHasFinest(placed, options.levelCount);
  for (const one of placed) assertOverlap(one, options);
  return placed;
}

/** Stand-ins are made of finer tiles, so a slide must have its finest ones. */
function assertHasFinest(placed: readonly Magnification[], levelCount: number): void {
  const finest = placed.at(-1)?.m ?? 0;
  if (finest === levelCount - 1) return;
  const found = `the finest bag of the slide is level ${finest} of 0 to ${levelCount - 1} (0: the coarsest)`;
  const message = `${found}: surrogateLevels makes coarser tiles of finer ones, finer tiles cannot be made up`;
  throw new DomainError("GEOMETRY_MISMATCH", message, {
    details: { field: "surrogateLevels", value: `${finest}`, bound: `${levelCount - 1}` },
  });
}

/** Level-0 pixels per micrometre as the strides tell it; strides of overlapping tiles are too short, so the largest. */
function pixelsPerMicrometre(metadata: readonly BagMetadata[]): number {
  const ratios = metadata.map(({ level0StridePx = 0, tilePx = 0, stridePx = tilePx, mpp = 0 }) => {
    return level0StridePx / (stridePx * mpp);
  });
  return Math.max(...ratios.filter(Number.isFinite), 0);
}

/**
 * Side of the bag's tiles. Its stride, where it has one, is exact; the tile only tells how many strides it spans, by the file's word
 * where the stride is known in pixels of the tile.
 */
function sideOf(
  { level0StridePx, level0Mpp, tilePx, stridePx, mpp }: BagMetadata,
  bag: number,
  pxPerUm: number,
): Pick<Magnification, "footprintPx" | "overlap"> {
  const um = tilePx !== undefined && mpp !== undefined ? tilePx * mpp : undefined;
  const scale = level0Mpp === undefined ? pxPerUm : 1 / level0Mpp;
  const tile = um === undefined || scale === 0 ? undefined : um * scale;
  if (level0StridePx === undefined && tile === undefined) {
    const problem = `the side of bag ${bag}'s tiles on level 0 is not known`;
    throw new DomainError("GEOMETRY_MISMATCH", `${problem}: give tilePx, mpp and level0Mpp when importing it`);
  }
  if (level0StridePx === undefined) return { footprintPx: tile ?? Number.NaN, overlap: 1 };
  const isTold = tilePx !== undefined && stridePx !== undefined;
  const footprintPx = isTold ? (level0StridePx * tilePx) / stridePx : (tile ?? level0StridePx);
  const strides = footprintPx / level0StridePx;
  const whole = strides >= 1 ? Math.round(strides) : 1 / Math.round(1 / strides);
  if (Math.abs(strides / whole - 1) > (isTold ? TOLD_STRIDE_TOLERANCE : STRIDE_TOLERANCE)) {
    const sizes = `tiles of ${round(footprintPx)} px that lie ${round(level0StridePx)} px apart`;
    throw new DomainError("GEOMETRY_MISMATCH", `bag ${bag} has ${sizes}: neither divides the other, they form no grid`);
  }
  return { footprintPx: level0StridePx * whole, overlap: Math.max(1, whole) };
}

/** The resolution that a bag was encoded at; the file's word may be nominal, level 0's resolution is measured. */
function resolutionOf(metadata: readonly BagMetadata[], side: Side | undefined) {
  const bag = side?.bag ?? 0;
  const { level0Mpp, tilePx, mpp } = metadata[bag] ?? {};
  const isMeasured = side !== undefined && level0Mpp !== undefined && tilePx !== undefined;
  return { bag, mpp: isMeasured ? (side.footprintPx * level0Mpp) / tilePx : mpp };
}

/** Sides of tiles and resolutions must tell of one magnification. */
function assertLevel({ bag, footprintPx }: Side, bySide: number, byResolution: number): void {
  if (bySide === byResolution) return;
  const told = `tiles of bag ${bag} span ${round(footprintPx)} px, which makes it level ${bySide} (0: the coarsest)`;
  throw new DomainError("GEOMETRY_MISMATCH", `${told}; its resolution is that of level ${byResolution}`);
}

interface Side {
  readonly bag: number;
  readonly footprintPx: number;
}

/** Magnifications between two neighbours, 1 or more. */
function doublings(coarse: Side, fine: Side, tolerance: number): number {
  const ratio = coarse.footprintPx / fine.footprintPx;
  const steps = Math.max(1, Math.round(Math.log2(ratio)));
  if (Math.abs(ratio / 2 ** steps - 1) <= tolerance) return steps;
  const sides = `tiles of bag ${coarse.bag} span ${round(coarse.footprintPx)} px, those of bag ${fine.bag} ${round(fine.footprintPx)} px`;
  throw new DomainError(
    "GEOMETRY_MISMATCH",
    `${sides}: the ratio ${round(ratio)} is no power of 2 from 2 on, up to ${tolerance * 100} %`,
  );
}

function assertSpan(placed: readonly Magnification[], levelCount: number): void {
  const [coarsest, finest] = [placed[0], placed.at(-1)];
  if (coarsest === undefined || finest === undefined || finest.m + 1 === levelCount) return;
  const sides = `tiles of bag ${coarsest.bag} span ${round(coarsest.footprintPx)} px, those of bag ${finest.bag} ${round(finest.footprintPx)} px`;
  const spanned = `${sides}: that is a span of ${finest.m + 1} magnifications`;
  throw new DomainError(
    "GEOMETRY_MISMATCH",
    `${spanned}, levelCount is ${levelCount}; only those between may be missing, unless levelMpps names all levels`,
  );
}

function assertOverlap({ bag, footprintPx, overlap }: Magnification, { decimateOverlap }: ResolvedRegionOptions): void {
  if (footprintPx < MIN_TILE_PX) {
    throw new DomainError(
      "GEOMETRY_MISMATCH",
      `tiles of bag ${bag} span ${round(footprintPx)} px of level 0, at least ${MIN_TILE_PX} are needed`,
    );
  }
  if (overlap === 1 || decimateOverlap) return;
  const sizes = `tiles of ${round(footprintPx)} px that lie ${round(footprintPx / overlap)} px apart`;
  throw new DomainError("GEOMETRY_MISMATCH", `bag ${bag} has ${sizes}: they overlap; decimateOverlap thins them out`);
}

/** A number for people: five significant digits. */
function round(value: number): string {
  return String(Number(value.toPrecision(5)));
}
