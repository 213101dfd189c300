import { cropIndices } from "./crop.ts";
import { DIHEDRAL_ELEMENTS, dihedralIndices } from "./dihedral.ts";
import { assertWhole, type RegionShape } from "./region-shape.ts";

/** Every view of a source: a crop, then a turn. */
export interface ViewTable {
  /** Crops: `(s − r + 1)²`, row by row of their offset. */
  readonly cropCount: number;
  /**
   * Token of the source that each token of the view reads, `[N]`. Computed once and shared: not to be written into.
   *
   * @throws {DomainError} INVALID_ARGUMENT for a crop beyond `cropCount` or a turn beyond those of `DIHEDRAL_ELEMENTS`.
   */
  indices(crop: number, turn: number): Int32Array;
}

/**
 * The views of sources of `sourceTiles` s coarse tiles along their side; 8·(s − r + 1)² vectors of N, each computed when it
 * is first asked for (s = 11, r = 3, L = 3: 490 kB in all).
 *
 * @throws {DomainError} INVALID_ARGUMENT when the region does not fit into the source.
 */
export function createViewTable(sourceTiles: number, shape: RegionShape): ViewTable {
  const positions = sourceTiles - shape.regionTiles + 1;
  cropIndices({ sourceTiles, shape, offset: [0, 0] });
  const turns = DIHEDRAL_ELEMENTS.map((element) => dihedralIndices(shape, element));
  const views = new Map<number, Int32Array>();
  return {
    cropCount: positions ** 2,
    indices(crop, turn) {
      assertWhole("crop", crop, 0, positions ** 2 - 1);
      assertWhole("turn", turn, 0, turns.length - 1);
      const key = crop * turns.length + turn;
      const offset = [Math.floor(crop / positions), crop % positions] as const;
      const known = views.get(key) ?? composed(turns[turn], cropIndices({ sourceTiles, shape, offset }));
      views.set(key, known);
      return known;
    },
  };
}

/** The gather by `first` of what the gather by `second` gave: `second[first[t]]`. */
function composed(first: Int32Array | undefined, second: Int32Array): Int32Array {
  return Int32Array.from(first ?? [], (t) => second[t] ?? 0);
}
