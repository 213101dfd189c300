import { levelSide, type RegionShape } from "./region-shape.ts";
import { tokenIndex, tokenPlaces } from "./token.ts";

/** The eight ways to turn and mirror a square; turns are counter-clockwise. The order is part of seeds: only append. */
export const DIHEDRAL_ELEMENTS = [
  "identity",
  "rot90",
  "rot180",
  "rot270",
  "flip-lr",
  "flip-ud",
  "transpose",
  "anti-transpose",
] as const;

/** One of {@link DIHEDRAL_ELEMENTS}. */
export type DihedralElement = (typeof DIHEDRAL_ELEMENTS)[number];

/** Row and column that the turned image reads at (i, j), in a grid whose last row and column are `last`. */
type Reads = (i: number, j: number, last: number) => readonly [number, number];

const READS: Readonly<Record<DihedralElement, Reads>> = {
  identity: (i, j) => [i, j],
  rot90: (i, j, last) => [j, last - i],
  rot180: (i, j, last) => [last - i, last - j],
  rot270: (i, j, last) => [last - j, i],
  "flip-lr": (i, j, last) => [i, last - j],
  "flip-ud": (i, j, last) => [last - i, j],
  transpose: (i, j) => [j, i],
  "anti-transpose": (i, j, last) => [last - j, last - i],
};

/**
 * Token that each token of the turned region reads, `[N]`: every magnification turns the same way, so that a tile stays
 * over its children. Gather features and presence with it *before* positions are added; positions do not turn.
 *
 * @throws {DomainError} INVALID_ARGUMENT for a shape out of bounds.
 */
export function dihedralIndices(shape: RegionShape, element: DihedralElement): Int32Array {
  const reads = READS[element];
  const places = tokenPlaces(shape).map(({ m, i, j }) => {
    const [row, column] = reads(i, j, levelSide(m, shape.regionTiles) - 1);
    return tokenIndex({ m, i: row, j: column }, shape.regionTiles);
  });
  return Int32Array.from(places);
}
