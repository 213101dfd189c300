import { DomainError } from "@parfocal/errors";

/** Most tiles in a bag: ten times the largest slides seen (100 000 tiles). */
export const MAX_TILES = 1_000_000;

/** Most features of a tile: the widest encoder in use gives 4 608; classic sets of concatenated features give more. */
export const MAX_FEATURES = 65_536;

/** Most bytes of features: what one object may hold in one piece of memory here. */
export const MAX_FEATURE_BYTES = 8 * 1024 ** 3;

/** Most UTF-8 bytes of a text of a bag's metadata: twice the longest file name. A listing shows 1 000 bags in one message. */
export const MAX_TEXT_BYTES = 512;

/**
 * Checks the size of a bag before anything is allocated for it.
 *
 * @throws {DomainError} EMPTY_BAG when `n` is 0; SHAPE_MISMATCH when `n`, `d` or their bytes are beyond the bounds.
 */
export function assertBagShape(n: number, d: number, elementBytes: number): void {
  if (n === 0) throw new DomainError("EMPTY_BAG", `the bag has no tiles (features [0, ${d}]), at least 1 is needed`);
  if (!Number.isSafeInteger(n) || n < 0 || n > MAX_TILES) {
    throw new DomainError("SHAPE_MISMATCH", `the bag has ${n} tiles, the bound is ${MAX_TILES}`);
  }
  if (!Number.isSafeInteger(d) || d < 1 || d > MAX_FEATURES) {
    throw new DomainError("SHAPE_MISMATCH", `a tile has ${d} features, the bounds are 1 and ${MAX_FEATURES}`);
  }
  if (n * d * elementBytes > MAX_FEATURE_BYTES) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `features [${n}, ${d}] need ${n * d * elementBytes} bytes, the bound is ${MAX_FEATURE_BYTES}`,
    );
  }
}
