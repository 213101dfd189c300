// Legend: N tokens of a region, K kept, M removed; a token that is missing is neither.

/** Tokens of one region by what becomes of them: positions in the region's order. */
export interface TokenSplit {
  /** The encoder sees them; ascending. */
  readonly kept: readonly number[];
  /** They are to be predicted; ascending. */
  readonly removed: readonly number[];
}

/** K = ⌊N (1 - ρ)⌋ of N tokens that are there. */
export function countKept(nPresent: number, removalRatio: number): number {
  // A share such as 0.9 is not exact: without the slack 10 · (1 - 0.9) would keep none.
  return Math.floor(nPresent * (1 - removalRatio) + 1e-9);
}

/**
 * Removes tokens uniformly without replacement over all magnifications: those with the smallest of `uniforms` (`[N]`, independent,
 * in [0, 1)) stay, equal ones in their order. `isPresent` (`[N]`) leaves out missing tiles; absent: all are there.
 *
 * Source: the paper's masked embedding modelling; drawing by an argsort is MAE's.
 */
export function splitTokens(
  uniforms: ArrayLike<number>,
  removalRatio: number,
  isPresent?: ArrayLike<boolean | number>,
): TokenSplit {
  const all = Array.from({ length: uniforms.length }, (_, token) => token);
  const present = isPresent === undefined ? all : all.filter((token) => Boolean(isPresent[token]));
  const nKept = countKept(present.length, removalRatio);
  const order = present.sort((a, b) => (uniforms[a] ?? 0) - (uniforms[b] ?? 0) || a - b);
  const ascending = (tokens: number[]) => tokens.sort((a, b) => a - b);
  return { kept: ascending(order.slice(0, nKept)), removed: ascending(order.slice(nKept)) };
}
