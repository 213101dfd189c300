import { slotCount, slotIndex } from "@parfocal/geometry";
import type { GridTiles } from "./place-bags.ts";

// Legend: N tiles that are kept, S stand-ins, L magnifications, m one of them (0 = coarsest).

/** Number of the bag of a tile that is in none: a stand-in. */
export const SURROGATE = 255;

/** Tiles with the stand-ins among them. */
export interface SurrogateTiles {
  /** The given tiles, and behind them the S stand-ins: their bag is {@link SURROGATE}, their row their number. */
  readonly tiles: GridTiles;
  /** `[N + S]` tiles in block order. */
  readonly order: Uint32Array;
  /** `[S, 4]` where in `order` the children of each stand-in are, in the order of their slots. */
  readonly children: Uint32Array;
}

/**
 * Adds a stand-in for every tile of the `lacking` magnifications (ascending) that has all four children: one missing child would make
 * it the mean of another field than a tile's. Magnifications are filled from the finest up, so a stand-in may be made of stand-ins.
 * Looks at one block at a time, of at most 341 slots. Pure; tiles of lacking magnifications must not be there yet.
 *
 * Source: Zimmermann et al. 2026 (arXiv:2602.22176) has every magnification of every slide; stand-ins are ours.
 */
export function surrogateTiles(tiles: GridTiles, order: Uint32Array, lacking: readonly number[]): SurrogateTiles {
  if (lacking.length === 0) return { tiles, order, children: new Uint32Array() };
  const slots = slotCount(tiles.levelCount);
  const made = createMade(tiles);
  const withMade: number[] = [];
  const places = new Float64Array(slots);
  const counts = new Uint32Array(tiles.levelCount);
  for (let start = 0; start < order.length; ) {
    const block = Math.floor((tiles.key[order[start] ?? 0] ?? 0) / slots);
    places.fill(-1);
    counts.fill(0);
    for (; start < order.length; start++) {
      const tile = order[start] ?? 0;
      const slot = (tiles.key[tile] ?? 0) - block * slots;
      if (slot >= slots) break;
      places[slot] = tile;
      const m = tiles.m[tile] ?? 0;
      counts[m] = (counts[m] ?? 0) + 1;
    }
    // Slides have many cells with a tile or two at their rim: a parent needs four.
    for (const m of lacking.toReversed()) {
      if ((counts[m + 1] ?? 0) >= 4) counts[m] = fillLevel(places, m, block * slots, made);
    }
    for (const tile of places) if (tile >= 0) withMade.push(tile);
  }
  return finished(tiles, Uint32Array.from(withMade), made);
}

/** Stand-ins as lists that grow; tiles beyond the given ones count on from these. */
interface Made {
  readonly first: number;
  readonly m: number[];
  readonly i: number[];
  readonly j: number[];
  readonly key: number[];
  /** Four tiles each. */
  readonly children: number[];
  /** Row and column of any tile, given or made. */
  placeOf(tile: number): readonly [i: number, j: number];
}

function createMade({ i, j, row }: GridTiles): Made {
  const first = row.length;
  const made = { first, m: [] as number[], i: [] as number[], j: [] as number[] };
  const placeOf = (tile: number) =>
    tile < first
      ? ([i[tile] ?? 0, j[tile] ?? 0] as const)
      : ([made.i[tile - first] ?? 0, made.j[tile - first] ?? 0] as const);
  return { ...made, key: [], children: [], placeOf };
}

/**
 * Fills the slots of magnification `m` of one block whose children are all there, and counts them; `places` has the tile of each slot,
 * −1 for none.
 */
function fillLevel(places: Float64Array, m: number, firstKey: number, made: Made): number {
  const [side, nBefore] = [2 ** m, made.m.length];
  for (let i = 0; i < side; i++) {
    for (let j = 0; j < side; j++) {
      const at = (a: number, b: number) => places[slotIndex({ m: m + 1, i: 2 * i + a, j: 2 * j + b })] ?? -1;
      const children = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)] as const;
      if (children.some((tile) => tile < 0)) continue;
      const [childI, childJ] = made.placeOf(children[0]);
      const slot = slotIndex({ m, i, j });
      places[slot] = made.first + made.m.length;
      made.m.push(m);
      made.i.push(Math.floor(childI / 2));
      made.j.push(Math.floor(childJ / 2));
      made.key.push(firstKey + slot);
      made.children.push(...children);
    }
  }
  return made.m.length - nBefore;
}

function finished(tiles: GridTiles, order: Uint32Array, made: Made): SurrogateTiles {
  const nMade = made.m.length;
  const all: GridTiles = {
    ...tiles,
    bag: joined(tiles.bag, new Uint8Array(nMade).fill(SURROGATE)),
    row: joined(
      tiles.row,
      Uint32Array.from({ length: nMade }, (_, number) => number),
    ),
    m: joined(tiles.m, Uint8Array.from(made.m)),
    i: joined(tiles.i, Float64Array.from(made.i)),
    j: joined(tiles.j, Float64Array.from(made.j)),
    offset: joined(tiles.offset, new Float64Array(nMade)),
    key: joined(tiles.key, Float64Array.from(made.key)),
  };
  const positions = new Uint32Array(all.row.length);
  for (const [position, tile] of order.entries()) positions[tile] = position;
  return { tiles: all, order, children: Uint32Array.from(made.children, (tile) => positions[tile] ?? 0) };
}

function joined<T extends Uint8Array | Uint32Array | Float64Array>(a: T, b: T): T {
  const both = new (a.constructor as new (length: number) => T)(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
