import { levelOffset, levelSide, type RegionShape, tokenCount } from "./region-shape.ts";

/** Where a token lies: magnification m (0 = coarsest), row i downwards and column j rightwards in its grid. */
export interface TokenPlace {
  readonly m: number;
  readonly i: number;
  readonly j: number;
}

/** Index of a token in level order: `o_m + i·n_m + j`. The place is not checked: this runs in inner loops. */
export function tokenIndex({ m, i, j }: TokenPlace, regionTiles: number): number {
  return levelOffset(m, regionTiles) + i * levelSide(m, regionTiles) + j;
}

/** Place of every token, `[N]` in level order. @throws {DomainError} INVALID_ARGUMENT for a shape out of bounds. */
export function tokenPlaces(shape: RegionShape): readonly TokenPlace[] {
  const places: TokenPlace[] = [];
  for (let m = 0; places.length < tokenCount(shape); m++) {
    const side = levelSide(m, shape.regionTiles);
    for (let at = 0; at < side * side; at++) places.push({ m, i: Math.floor(at / side), j: at % side });
  }
  return places;
}

/** The token one magnification coarser that covers this one; `undefined` at the coarsest. */
export function parentOf({ m, i, j }: TokenPlace): TokenPlace | undefined {
  return m === 0 ? undefined : { m: m - 1, i: i >> 1, j: j >> 1 };
}

/** The four tokens one magnification finer that this one covers, row by row. */
export function childrenOf({ m, i, j }: TokenPlace): readonly TokenPlace[] {
  return [0, 1, 2, 3].map((slot) => ({ m: m + 1, i: 2 * i + (slot >> 1), j: 2 * j + (slot & 1) }));
}
