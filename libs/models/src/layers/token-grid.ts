/**
 * Where TransMIL's tokens lie. Legend: N tiles, s = ⌈√N⌉ side of the square, T = s² + 1 tokens (the class token, the tiles, and the first
 * s² - N of them once more), m landmarks, l tokens of a landmark, P = m l places: P - T empty ones, then the tokens.
 */
import { deriveSize, type IntegerMath, indexVector, type Placement, type Repetition } from "@parfocal/tensor";

/** The places of one bag's tokens; every vector is a whole-number formula of N. */
export interface TokenGrid {
  /** s. */
  readonly side: number;
  /** l. */
  readonly blockLength: number;
  /** P. */
  readonly nPlaces: number;
  /** From the tiles `[N]` to the square `[s²]`. */
  readonly square: Repetition;
  /** From the class token and the tiles `[1 + N]` to the places. */
  readonly tiles: Repetition;
  /** From the tokens `[T]` to the places. */
  readonly tokens: Placement;
  /** The class token `[1]` among the places. */
  readonly classToken: Placement;
  /** The square's tokens `[s²]` among the places. */
  readonly squareTokens: Placement;
  /** The tiles' own tokens `[N]` among the places, without repetitions. */
  readonly ownTokens: Placement;
}

/** Sizes of one bag as numbers of the arithmetic. */
interface Sizes<T> {
  readonly nTiles: T;
  readonly square: T;
  readonly nTokens: T;
  readonly blockLength: T;
  /** P - T. */
  readonly nEmpty: T;
}

function sizesOf<T>(math: IntegerMath<T>, nTiles: T, nLandmarks: number): Sizes<T> {
  const root = math.ceilSqrt(nTiles);
  const square = math.mul(root, root);
  const nTokens = math.add(square, math.constant(1));
  const m = math.constant(nLandmarks);
  const blockLength = math.div(math.add(square, m), m);
  return { nTiles, square, nTokens, blockLength, nEmpty: math.sub(math.mul(blockLength, m), nTokens) };
}

/** The grid of a bag of `nTiles` tiles. */
export function tokenGrid(nTiles: number, nLandmarks: number): TokenGrid {
  const derived = (symbol: string, formula: <T>(math: IntegerMath<T>, nTiles: T) => T): number =>
    deriveSize({ symbol, from: [nTiles], formula: (math, [n]) => formula(math, n) });
  const side = derived("side(1)", (math, n) => math.ceilSqrt(n));
  const blockLength = derived(`block(${nLandmarks})`, (math, n) => sizesOf(math, n, nLandmarks).blockLength);
  const [nSquare, nPlaces] = [side * side, nLandmarks * blockLength];
  const vector = (length: number, formula: <T>(math: IntegerMath<T>, i: T, sizes: Sizes<T>) => T) =>
    indexVector(length, [nTiles], (math, [i, n]) => formula(math, i, sizesOf(math, n, nLandmarks)));
  /** Rows `nRows` that lie side by side from place `first` on. */
  const run = (
    nRows: number,
    range: <T>(math: IntegerMath<T>, sizes: Sizes<T>) => { first: T; count: T },
  ): Placement => ({
    source: vector(nPlaces, (math, q, sizes) => {
      const { first, count } = range(math, sizes);
      return within(math, math.sub(q, first), count);
    }),
    place: vector(nRows, (math, i, sizes) => math.add(range(math, sizes).first, i)),
  });
  return {
    side,
    blockLength,
    nPlaces,
    square: {
      source: vector(nSquare, (math, i, { nTiles: n }) => math.mod(i, n)),
      place: vector(nTiles, (_math, i) => i),
      again: vector(nTiles, (math, i, { nTiles: n, square }) => within(math, math.add(n, i), square)),
    },
    tiles: {
      source: vector(nPlaces, sourceOfPlace),
      place: vector(nTiles + 1, (math, row, { nEmpty }) => math.add(nEmpty, row)),
      again: vector(nTiles + 1, againOfRow),
    },
    tokens: run(nSquare + 1, (_math, { nEmpty, nTokens }) => ({ first: nEmpty, count: nTokens })),
    classToken: run(1, (math, { nEmpty }) => ({ first: nEmpty, count: math.constant(1) })),
    squareTokens: run(nSquare, (math, { nEmpty, square }) => ({ first: behind(math, nEmpty), count: square })),
    ownTokens: run(nTiles, (math, { nEmpty, nTiles: n }) => ({ first: behind(math, nEmpty), count: n })),
  };
}

/**
 * The class token and the `count - 1` tokens behind it among the places; where a bag has fewer, the last place again, of which
 * `isThere` `[count]` says 0.
 */
export function firstTokens(nTiles: number, nLandmarks: number, { nPlaces }: TokenGrid, count: number) {
  const vector = (length: number, formula: <T>(math: IntegerMath<T>, i: T, sizes: Sizes<T>) => T) =>
    indexVector(length, [nTiles], (math, [i, n]) => formula(math, i, sizesOf(math, n, nLandmarks)));
  const placement: Placement = {
    source: vector(nPlaces, (math, q, { nEmpty }) => within(math, math.sub(q, nEmpty), math.constant(count))),
    place: vector(count, (math, j, { nEmpty, nTokens }) => {
      const last = math.sub(nTokens, math.constant(1));
      return math.add(nEmpty, math.add(last, math.mul(math.less(j, last), math.sub(j, last))));
    }),
  };
  return { placement, isThere: vector(count, (math, j, { nTokens }) => math.less(j, nTokens)) };
}

function behind<T>(math: IntegerMath<T>, place: T): T {
  return math.add(place, math.constant(1));
}

/** `x` where it is from 0 to `count` - 1, else `count`. */
function within<T>(math: IntegerMath<T>, x: T, count: T): T {
  const isWithin = math.mul(math.less(math.constant(-1), x), math.less(x, count));
  return math.add(count, math.mul(isWithin, math.sub(x, count)));
}

/** The class token (0) or tile (1 to N) at a place, N + 1 at empty ones. */
function sourceOfPlace<T>(math: IntegerMath<T>, q: T, { nTiles, nEmpty }: Sizes<T>): T {
  const none = math.add(nTiles, math.constant(1));
  const isToken = math.less(math.sub(nEmpty, math.constant(1)), q);
  const token = math.mul(isToken, math.sub(q, nEmpty));
  const isTile = math.less(math.constant(0), token);
  const row = math.add(isTile, math.mod(math.sub(token, isTile), nTiles));
  return math.add(none, math.mul(isToken, math.sub(row, none)));
}

/** The place of a row's repetition, P for the class token and tiles that do not repeat. */
function againOfRow<T>(math: IntegerMath<T>, row: T, { nTiles, square, nTokens, nEmpty }: Sizes<T>): T {
  const nPlaces = math.add(nEmpty, nTokens);
  const isTile = math.less(math.constant(0), row);
  const isRepeated = math.mul(isTile, math.less(row, math.add(math.sub(square, nTiles), math.constant(1))));
  const place = math.add(math.add(nEmpty, nTiles), row);
  return math.add(nPlaces, math.mul(isRepeated, math.sub(place, nPlaces)));
}
