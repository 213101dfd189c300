/**
 * How a bag is cut into regions. Legend: N tiles, L regions along a side, M places along the side of a region, S = L M side of
 * the square, G = L² regions, P = M² places of a region, Q = G P places in all.
 */
import {
  deriveSize,
  type IntegerFormula,
  type IntegerMath,
  indexVector,
  type Placement,
  placeRows,
  type RegionPlaces,
  spatialPlacement,
  tf,
} from "@parfocal/tensor";

/** What decides a grid. */
export interface RegionRule {
  /** L, unless `regionSize` is given. */
  readonly regionNum: number;
  /** M; 0: not given. */
  readonly regionSize: number;
  /** See the configuration of R2T. */
  readonly minRegionNum: number;
  readonly minRegionRatio: number;
}

/** Tiles of one bag in regions. */
export interface RegionGrid {
  /** G. */
  readonly nRegions: number;
  /** P. */
  readonly nPlaces: number;
  /** In how many steps regions can be computed: the rows of regions, where every bag has the same number of them; else 1. */
  readonly nSteps: number;
  /** Between rows of tiles `[N, C]` and places `[Q, C]`, region by region. */
  readonly placement: Placement;
  /** The same for attention. */
  readonly places: RegionPlaces;
  /** Whether places where no tile lies take no part; else they are treated as tiles of zeros. */
  readonly isMasked: boolean;
  /** `[Q, 1]`, 1 where no tile lies; absent when that makes no difference. */
  readonly isEmpty?: tf.Tensor2D;
}

/** How {@link createRegionGrid} fills the regions. */
export interface GridOptions {
  /** See {@link RegionGrid.isMasked}. */
  readonly isMasked: boolean;
  /** `[N, 2]` i32: regions by place on the slide; absent: by storage order. */
  readonly coords?: tf.Tensor2D;
}

/** Denominator under which a ratio is a whole number; finer than the 1e-8 that the reference adds to it. */
const RATIO_PARTS = 1e8;

interface Geometry<T> {
  readonly perSide: T;
  readonly side: T;
}

function hasFallback({ minRegionNum, minRegionRatio }: RegionRule): boolean {
  return minRegionNum > 0 || minRegionRatio > 0;
}

/** Number of regions when it is the same for all bags. */
export function fixedRegionCount(rule: RegionRule): number | undefined {
  return rule.regionSize > 0 || hasFallback(rule) ? undefined : rule.regionNum ** 2;
}

/**
 * L and M of N tiles: the square of side ⌈√N⌉, grown to whole regions; a single region of even side when too much of it would
 * be padding or the bag is small.
 */
function geometryOf<T>(math: IntegerMath<T>, nTiles: T, rule: RegionRule): Geometry<T> {
  const one = math.constant(1);
  const ceilDiv = (a: T, b: T) => math.div(math.sub(math.add(a, b), one), b);
  const root = math.ceilSqrt(nTiles);
  const perSide = rule.regionSize > 0 ? ceilDiv(root, math.constant(rule.regionSize)) : math.constant(rule.regionNum);
  const side = rule.regionSize > 0 ? math.constant(rule.regionSize) : ceilDiv(root, perSide);
  if (!hasFallback(rule)) return { perSide, side };
  const square = math.mul(perSide, side);
  const padding = math.sub(math.mul(square, square), nTiles);
  const parts = math.constant(Math.round(rule.minRegionRatio * RATIO_PARTS) + 1);
  const isPadded = math.less(math.mul(nTiles, math.constant(RATIO_PARTS)), math.mul(padding, parts));
  const isSmall = math.less(nTiles, math.constant(rule.minRegionNum));
  const isEither = math.sub(math.add(isPadded, isSmall), math.mul(isPadded, isSmall));
  const even = math.add(root, math.mod(root, math.constant(2)));
  const choose = (otherwise: T, alone: T) => math.add(otherwise, math.mul(isEither, math.sub(alone, otherwise)));
  return { perSide: choose(perSide, one), side: choose(side, even) };
}

/** The grid of a bag whose number of tiles is the first dimension of `tiles` `[N, C]`. */
export function createRegionGrid(tiles: tf.Tensor2D, rule: RegionRule, options: GridOptions): RegionGrid {
  const { isMasked, coords } = options;
  const nTiles = tiles.shape[0];
  const nRegions =
    fixedRegionCount(rule) ??
    derived("regions", nTiles, rule, (math, n) => {
      const { perSide } = geometryOf(math, n, rule);
      return math.mul(perSide, perSide);
    });
  const { nPlaces, placement } =
    coords === undefined ? storageGrid(nTiles, nRegions, rule) : spatialGrid(coords, nRegions, rule);
  const nSteps = fixedRegionCount(rule) === undefined ? 1 : rule.regionNum;
  const places = placesOf(nTiles, placement);
  const grid = { nRegions, nPlaces, nSteps, placement, places, isMasked };
  return isMasked ? { ...grid, isEmpty: tf.sub<tf.Tensor2D>(1, places.filled) } : grid;
}

/** The first tile stands at empty places; `filled` takes it out again. */
function placesOf(nTiles: number, placement: Placement): RegionPlaces & { readonly filled: tf.Tensor2D } {
  const filled = placeRows(tf.fill([nTiles, 1], 1), placement) as tf.Tensor2D; // [Q, 1]
  const isTile = tf.cast(tf.reshape(filled, [-1]), "int32"); // [Q]
  return { index: tf.mul(placement.source, isTile), filled, place: placement.place };
}

function derived(
  name: string,
  nTiles: number,
  rule: RegionRule,
  formula: <T>(math: IntegerMath<T>, nTiles: T) => T,
): number {
  const { regionNum, regionSize, minRegionNum, minRegionRatio } = rule;
  const symbol = `${name}(${regionSize > 0 ? `size ${regionSize}` : regionNum}, ${minRegionNum}, ${minRegionRatio})`;
  return deriveSize({ symbol, from: [nTiles], formula: (math, [n]) => formula(math, n) });
}

/** The square in row-major storage order, cut into regions. */
function storageGrid(nTiles: number, nRegions: number, rule: RegionRule): Pick<RegionGrid, "nPlaces" | "placement"> {
  const isFixed = rule.regionSize > 0 && !hasFallback(rule);
  const nPlaces = isFixed
    ? rule.regionSize ** 2
    : derived("places", nTiles, rule, (math, n) => {
        const { side } = geometryOf(math, n, rule);
        return math.mul(side, side);
      });
  const source: IntegerFormula<readonly [number, number]> = (math, [place, n]) => sourceOfPlace(math, place, n, rule);
  const place: IntegerFormula<readonly [number, number]> = (math, [tile, n]) => placeOfTile(math, tile, n, rule);
  const placement = {
    source: indexVector(nRegions * nPlaces, [nTiles], source),
    place: indexVector(nTiles, [nTiles], place),
  };
  return { nPlaces, placement };
}

/** The tile at a place, N where there is none. */
function sourceOfPlace<T>(math: IntegerMath<T>, place: T, nTiles: T, rule: RegionRule): T {
  const { perSide, side } = geometryOf(math, nTiles, rule);
  const nPlaces = math.mul(side, side);
  const [region, token] = [math.div(place, nPlaces), math.mod(place, nPlaces)];
  const row = math.add(math.mul(math.div(region, perSide), side), math.div(token, side));
  const column = math.add(math.mul(math.mod(region, perSide), side), math.mod(token, side));
  const tile = math.add(math.mul(row, math.mul(perSide, side)), column);
  const isTile = math.less(tile, nTiles);
  return math.add(nTiles, math.mul(isTile, math.sub(tile, nTiles)));
}

/** The place of a tile. */
function placeOfTile<T>(math: IntegerMath<T>, tile: T, nTiles: T, rule: RegionRule): T {
  const { perSide, side } = geometryOf(math, nTiles, rule);
  const square = math.mul(perSide, side);
  const [row, column] = [math.div(tile, square), math.mod(tile, square)];
  const region = math.add(math.mul(math.div(row, side), perSide), math.div(column, side));
  const token = math.add(math.mul(math.mod(row, side), side), math.mod(column, side));
  return math.add(math.mul(region, math.mul(side, side)), token);
}

/** Regions of equally many tiles that are neighbours on the slide; no square, and so hardly any padding. */
function spatialGrid(
  coords: tf.Tensor2D,
  nRegions: number,
  rule: RegionRule,
): Pick<RegionGrid, "nPlaces" | "placement"> {
  const nTiles = coords.shape[0];
  const fixed = fixedRegionCount(rule);
  const perSide =
    fixed === undefined
      ? derived("per side", nTiles, rule, (math, n) => geometryOf(math, n, rule).perSide)
      : rule.regionNum;
  const nPlaces = derived("fair share", nTiles, rule, (math, n) => {
    const { perSide: perEdge } = geometryOf(math, n, rule);
    const total = math.mul(perEdge, perEdge);
    return math.div(math.sub(math.add(n, total), math.constant(1)), total);
  });
  return { nPlaces, placement: spatialPlacement(coords, { perSide, nPlaces, nTotal: nRegions * nPlaces }) };
}
