import { DomainError } from "@parfocal/errors";
import { slotCount, slotIndex } from "@parfocal/geometry";
import type { Bag } from "../bag.ts";
import { anchorOf } from "./anchor.ts";
import type { Magnification } from "./magnifications.ts";
import { type PlacedTiles, placeTiles } from "./place-tiles.ts";
import type { ResolvedRegionOptions } from "./region-options.ts";

/** The kept tiles of all bags one after another, on one grid that begins at the first cell that holds a tile. */
export interface GridTiles {
  /** Side of a coarse cell, level-0 pixels. */
  readonly coarsePx: number;
  /** Corner of cell (0, 0), level-0 pixels. */
  readonly anchorPx: readonly [number, number];
  readonly levelCount: number;
  readonly bag: Uint8Array;
  readonly row: Uint32Array;
  readonly m: Uint8Array;
  /** Row and column at its own magnification, from 0. */
  readonly i: Float64Array;
  readonly j: Float64Array;
  readonly offset: Float64Array;
  /** Rises in block order. */
  readonly key: Float64Array;
  readonly nUnaligned: number;
  readonly nDecimated: number;
}

/**
 * Places the tiles of all bags on the grid of the coarsest. Where the coarsest magnification has no bag, its cells are as many
 * tiles of the coarsest bag as it takes, and the first row and column of that bag begin one.
 *
 * @throws {DomainError} EMPTY_BAG without bags; GEOMETRY_MISMATCH as {@link placeTiles}, or when tiles lie too far apart.
 */
export function placeBags(
  bags: readonly Bag[],
  magnifications: readonly Magnification[],
  options: ResolvedRegionOptions,
): GridTiles {
  const [coarsest] = magnifications;
  if (coarsest === undefined) throw new DomainError("EMPTY_BAG", "there are no bags, at least 1 is needed");
  const coordsOf = ({ bag }: Magnification) => bags[bag]?.coords ?? new Int32Array();
  const coarsePx = coarsest.footprintPx * 2 ** coarsest.m;
  const phase = phaseOf(coarsest, coordsOf(coarsest), options);
  const placed = magnifications.map((one) => {
    const { bag, overlap } = one;
    const grid = { bag, coords: coordsOf(one), anchorPx: phase, sidePx: coarsePx / 2 ** one.m, overlap };
    return { ...one, tiles: placeTiles(grid, options) };
  });
  return joined(placed, { coarsePx, phase, levelCount: options.levelCount });
}

/** A corner (x, y) of the coarse cells. */
function phaseOf(
  { bag, m, footprintPx: sidePx, overlap }: Magnification,
  coords: Int32Array,
  options: ResolvedRegionOptions,
): readonly [number, number] {
  const anchorPx = anchorOf({ coords, sidePx, overlap });
  if (m === 0) return anchorPx;
  const { i, j } = placeTiles({ bag, coords, anchorPx, sidePx, overlap }, options);
  const first = (cells: Int32Array) => cells.reduce((a, b) => Math.min(a, b));
  return [anchorPx[0] + first(j) * sidePx, anchorPx[1] + first(i) * sidePx];
}

type Placed = Magnification & { readonly tiles: PlacedTiles };

function joined(
  placed: readonly Placed[],
  grid: { readonly coarsePx: number; readonly phase: readonly [number, number]; readonly levelCount: number },
): GridTiles {
  const n = placed.reduce((sum, { tiles }) => sum + tiles.row.length, 0);
  const firstCell = (axis: "i" | "j") =>
    placed.reduce((least, { m, tiles }) => tiles[axis].reduce((a, b) => Math.min(a, b >> m), least), Infinity);
  const [top, left] = [firstCell("i"), firstCell("j")];
  const { coarsePx, phase, levelCount } = grid;
  const tiles = {
    ...{ coarsePx, levelCount, anchorPx: [phase[0] + left * coarsePx, phase[1] + top * coarsePx] as const },
    ...{ bag: new Uint8Array(n), row: new Uint32Array(n), m: new Uint8Array(n) },
    ...{ i: new Float64Array(n), j: new Float64Array(n), offset: new Float64Array(n), key: new Float64Array(n) },
    nUnaligned: placed.reduce((sum, one) => sum + one.tiles.nUnaligned, 0),
    nDecimated: placed.reduce((sum, one) => sum + one.tiles.nDecimated, 0),
  };
  let at = 0;
  for (const { bag, m, tiles: own } of placed) {
    tiles.bag.fill(bag, at, at + own.row.length);
    tiles.m.fill(m, at, at + own.row.length);
    tiles.row.set(own.row, at);
    tiles.offset.set(own.offset, at);
    tiles.i.set(
      Float64Array.from(own.i, (i) => i - top * 2 ** m),
      at,
    );
    tiles.j.set(
      Float64Array.from(own.j, (j) => j - left * 2 ** m),
      at,
    );
    at += own.row.length;
  }
  fillKeys(tiles);
  return tiles;
}

/** Writes into `key` a number that rises with (row of the cell, column of the cell, slot). */
function fillKeys({ i, j, m, key, levelCount }: GridTiles): void {
  const slots = slotCount(levelCount);
  const cell = (values: Float64Array, tile: number) => Math.floor((values[tile] ?? 0) / 2 ** (m[tile] ?? 0));
  let nColumns = 0;
  for (let tile = 0; tile < key.length; tile++) nColumns = Math.max(nColumns, cell(j, tile) + 1);
  for (let tile = 0; tile < key.length; tile++) {
    const slot = slotIndex({ m: m[tile] ?? 0, i: i[tile] ?? 0, j: j[tile] ?? 0 });
    key[tile] = (cell(i, tile) * nColumns + cell(j, tile)) * slots + slot;
  }
  const last = key.reduce((a, b) => Math.max(a, b), 0);
  if (last <= Number.MAX_SAFE_INTEGER) return;
  throw new DomainError("GEOMETRY_MISMATCH", `tiles lie up to ${nColumns} coarse columns apart; no slide is that wide`);
}
