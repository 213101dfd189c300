import { assertRegionShape, type BlockOrder, blockOrder } from "@parfocal/geometry";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import { type BlockIndex, compareCells, hasSlot, isPseudo, slotRank } from "./block-index.ts";
import type { IndexedBag } from "./indexed-bag.ts";
import { createRegionTokens, gatherTokensInto, type RegionSource, type RegionTokens } from "./region-source.ts";

/** A square of coarse cells of a slide. */
export interface RegionPlace {
  /** Cell (I, J) that it begins at; it may leave the tissue on any side. */
  readonly origin: readonly [number, number];
  /** Cells along its side. */
  readonly tiles: number;
}

/** How a reader reads. */
export interface RegionReaderOptions {
  /**
   * Rows that nobody asked for are read along where they are fewer bytes than this between two runs. Default 64 KiB: on a
   * disk a request costs as much as these; on S3 more is better.
   */
  readonly maxGapBytes?: number;
  /** Take stand-ins (`TILE_FLAGS.pseudo`) for absent: for who learns from what is there. */
  readonly skipPseudo?: boolean;
}

/** Reads regions of region bags. */
export interface RegionReader {
  /**
   * The tiles of a square, by one ranged read for each of its rows of cells (fewer where they lie close), all at once. The
   * object must be the version that was opened.
   *
   * @throws {DomainError} INVALID_ARGUMENT for a side out of bounds; PRECONDITION_FAILED when the bag was replaced; what
   * the store throws.
   */
  readSource(bag: IndexedBag, place: RegionPlace, call?: CallOptions): Promise<RegionSource>;
  /** The same as tokens in level order, written into `out` where it is given. */
  readRegionTokens(bag: IndexedBag, place: RegionPlace, call?: CallOptions, out?: RegionTokens): Promise<RegionTokens>;
}

const DEFAULT_GAP_BYTES = 64 * 1024;

/** A reader of region bags in a store. It keeps nothing of what it reads. */
export function createRegionReader(
  store: ObjectStore,
  { maxGapBytes = DEFAULT_GAP_BYTES, skipPseudo = false }: RegionReaderOptions = {},
): RegionReader {
  const orders = new Map<string, BlockOrder>();
  const orderOf = (tiles: number, levelCount: number) => {
    const key = `${tiles} ${levelCount}`;
    const order = orders.get(key) ?? blockOrder({ regionTiles: tiles, levelCount });
    orders.set(key, order);
    return order;
  };
  const readSource: RegionReader["readSource"] = async (bag, place, call = {}) => {
    const { index, header, ref } = bag;
    assertRegionShape({ regionTiles: place.tiles, levelCount: index.levelCount });
    const rowBytes = header.features.lengthBytes / ref.n;
    const blocks = blocksOf(index, place);
    const ranges = rangesOf(blocks, index, ref.n, Math.floor(maxGapBytes / rowBytes));
    const runs = await Promise.all(
      ranges.map(async ({ first, end }) => {
        const { offsetBytes } = header.features;
        const range = { start: offsetBytes + first * rowBytes, end: offsetBytes + end * rowBytes };
        return (await store.get(ref.key, { ...call, range, ifMatch: header.etag })).bytes;
      }),
    );
    const order = orderOf(place.tiles, index.levelCount);
    return { d: ref.d, dtype: ref.dtype, runs, ...tokenPlaces(index, order, { blocks, ranges, rowBytes, skipPseudo }) };
  };
  return {
    readSource,
    async readRegionTokens(bag, place, call, out) {
      const source = await readSource(bag, place, call);
      const tokens = out ?? createRegionTokens(source.run.length, source);
      gatherTokensInto(source, tokens);
      return tokens;
    },
  };
}

/** Rows of the bag, half open. */
interface RowRange {
  readonly first: number;
  readonly end: number;
}

/** Block of every cell of the square, row by row; −1 where the slide has none. */
function blocksOf(index: BlockIndex, { origin: [top, left], tiles }: RegionPlace): Int32Array {
  const blocks = new Int32Array(tiles * tiles).fill(-1);
  for (let line = 0; line < tiles; line++) {
    for (let block = firstBlockFrom(index, top + line, left); block < index.blockCount; block++) {
      const column = (index.cells[2 * block + 1] ?? 0) - left;
      if (index.cells[2 * block] !== top + line || column >= tiles) break;
      blocks[line * tiles + column] = block;
    }
  }
  return blocks;
}

/** First block at or after a cell. O(log B). */
function firstBlockFrom({ cells, blockCount }: BlockIndex, line: number, column: number): number {
  let [low, high] = [0, blockCount];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareCells(cells[2 * middle], cells[2 * middle + 1], line, column) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What to read of the bag: its blocks rise, so their rows do; ranges less than `maxGapRows` apart become one. */
function rangesOf(blocks: Int32Array, index: BlockIndex, n: number, maxGapRows: number): readonly RowRange[] {
  const ranges: { first: number; end: number }[] = [];
  for (const block of blocks) {
    if (block < 0) continue;
    const first = index.firstRow[block] ?? 0;
    const end = index.firstRow[block + 1] ?? n;
    const last = ranges.at(-1);
    if (last !== undefined && first - last.end <= maxGapRows) last.end = end;
    else ranges.push({ first, end });
  }
  return ranges;
}

/** What is read of a square. */
interface SquareRead {
  /** Block of every cell, −1 where there is none. */
  readonly blocks: Int32Array;
  readonly ranges: readonly RowRange[];
  readonly rowBytes: number;
  readonly skipPseudo: boolean;
}

/** Run and byte of every token. */
function tokenPlaces(
  index: BlockIndex,
  order: BlockOrder,
  read: SquareRead,
): Pick<RegionSource, "run" | "offsetBytes"> {
  const { blocks, ranges, rowBytes, skipPseudo } = read;
  const runOf = Int16Array.from(blocks, (block) => {
    const row = index.firstRow[block] ?? -1;
    return ranges.findIndex(({ first, end }) => row >= first && row < end);
  });
  const run = new Int16Array(order.block.length).fill(-1);
  const offsetBytes = new Uint32Array(order.block.length);
  for (let token = 0; token < run.length; token++) {
    const cell = order.block[token] ?? 0;
    const [block, slot, own] = [blocks[cell] ?? -1, order.slot[token] ?? 0, runOf[cell] ?? -1];
    if (block < 0 || !hasSlot(index, block, slot) || (skipPseudo && isPseudo(index, block, slot))) continue;
    const row = (index.firstRow[block] ?? 0) + slotRank(index, block, slot);
    run[token] = own;
    offsetBytes[token] = (row - (ranges[own]?.first ?? 0)) * rowBytes;
  }
  return { run, offsetBytes };
}
