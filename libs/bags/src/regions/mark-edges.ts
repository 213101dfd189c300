import { slotIndex, type TokenPlace } from "@parfocal/geometry";
import { type BlockIndex, findBlock, hasSlot } from "./block-index.ts";
import { TILE_FLAGS } from "./tile-flags.ts";

/** Sets the bit `edge` in the `[N]` flags of every tile of a region bag that lacks a neighbour. O(N log B). */
export function markEdges(flags: Uint8Array, index: BlockIndex): void {
  let row = 0;
  for (let block = 0; block < index.blockCount; block++) {
    for (const place of tilesOfBlock(index, block)) {
      if (isAtEdge(index, block, place)) flags[row] = (flags[row] ?? 0) | TILE_FLAGS.edge;
      row += 1;
    }
  }
}

/** The tiles of a block in the order of their rows. */
function* tilesOfBlock(index: BlockIndex, block: number): Generator<TokenPlace> {
  const [line, column] = [index.cells[2 * block] ?? 0, index.cells[2 * block + 1] ?? 0];
  for (let m = 0; m < index.levelCount; m++) {
    const side = 2 ** m;
    for (let i = line * side; i < (line + 1) * side; i++) {
      for (let j = column * side; j < (column + 1) * side; j++) {
        if (hasSlot(index, block, slotIndex({ m, i, j }))) yield { m, i, j };
      }
    }
  }
}

function isAtEdge(index: BlockIndex, block: number, { m, i, j }: TokenPlace): boolean {
  const has = (line: number, column: number) => hasTile(index, block, { m, i: line, j: column });
  return !(has(i - 1, j) && has(i + 1, j) && has(i, j - 1) && has(i, j + 1));
}

/** `near` is a block that likely holds the tile. */
function hasTile(index: BlockIndex, near: number, place: TokenPlace): boolean {
  const [line, column] = [place.i >> place.m, place.j >> place.m];
  const isNear = index.cells[2 * near] === line && index.cells[2 * near + 1] === column;
  const block = isNear ? near : findBlock(index, line, column);
  return block >= 0 && hasSlot(index, block, slotIndex(place));
}
