import type { BlockIndex } from "./block-index.ts";

/** Squares of coarse cells. */
export interface SquareRule {
  /** Cells along the side. */
  readonly side: number;
  /** Cells from one square to the next: 1, or the side, where squares lie side by side from cell (0, 0). */
  readonly step: number;
}

/** Who is told what the square holds. */
export interface SquareVisitor {
  /** A block comes into the square. */
  readonly enter: (block: number) => void;
  /** A block goes out of it. */
  readonly leave: (block: number) => void;
  /** The square begins at this cell now; it has all its blocks, which may be none. */
  at(line: number, column: number): void;
}

/** Rows of the index that the square lies over: `nBands` of them, each with the blocks from `tail` to before `head` inside. */
interface Bands {
  nBands: number;
  readonly tail: Uint32Array;
  readonly head: Uint32Array;
  readonly end: Uint32Array;
}

/**
 * Moves a square over all places where it holds a block, row by row and from the left. Needs 4 bytes for each line of cells
 * with blocks, whatever the slide's extent. O(B · side²) at most.
 */
export function sweepSquares(index: BlockIndex, rule: SquareRule, visitor: SquareVisitor): void {
  const { cells } = index;
  const lines = lineStarts(index);
  const nLines = lines.length - 1;
  const lineOf = (at: number) => cells[2 * (lines[at] ?? 0)] ?? 0;
  const bands = { nBands: 0, ...bandArrays(rule.side) };
  let first = 0;
  for (let origin = Number.NEGATIVE_INFINITY; first < nLines; ) {
    origin = nextOrigin(lineOf(first), origin, rule);
    bands.nBands = 0;
    for (let at = first; at < nLines && lineOf(at) < origin + rule.side; at++) addBand(bands, lines, at);
    sweepLine(cells, bands, rule, { ...visitor, at: (_, column) => visitor.at(origin, column) });
    while (first < nLines && lineOf(first) < origin + rule.step) first += 1;
  }
}

/** Adds the blocks of one line of cells, all of them right of the square still. */
function addBand(bands: Bands, lines: Uint32Array, at: number): void {
  bands.tail[bands.nBands] = lines[at] ?? 0;
  bands.head[bands.nBands] = lines[at] ?? 0;
  bands.end[bands.nBands] = lines[at + 1] ?? 0;
  bands.nBands += 1;
}

/** Moves the square along one line, over blocks of the bands. */
function sweepLine(cells: Int32Array, bands: Bands, rule: SquareRule, visitor: SquareVisitor): void {
  let origin = Number.NEGATIVE_INFINITY;
  for (;;) {
    const first = firstColumn(cells, bands);
    if (first === Number.POSITIVE_INFINITY) return;
    origin = nextOrigin(first, origin, rule);
    const { nBands, tail, head, end } = bands;
    for (let band = 0; band < nBands; band++)
      pass(cells, head, end, { band, column: origin + rule.side }, visitor.enter);
    visitor.at(0, origin);
    for (let band = 0; band < nBands; band++)
      pass(cells, tail, head, { band, column: origin + rule.step }, visitor.leave);
  }
}

/** Moves `from` of a band on to its first block at `column` or right of it, at most to `to`, and tells of what it passes. */
function pass(
  cells: Int32Array,
  from: Uint32Array,
  to: Uint32Array,
  { band, column }: { readonly band: number; readonly column: number },
  tell: (block: number) => void,
): void {
  let block = from[band] ?? 0;
  for (; block < (to[band] ?? 0) && (cells[2 * block + 1] ?? 0) < column; block++) tell(block);
  from[band] = block;
}

/** The first place after `before` whose square holds a cell at `first`, the first one that lies at `before + step` or later. */
function nextOrigin(first: number, before: number, { side, step }: SquareRule): number {
  return step === 1 ? Math.max(before + 1, first - side + 1) : Math.floor(first / step) * step;
}

/** Least column of the blocks that have not left the square yet, or infinity. */
function firstColumn(cells: Int32Array, { nBands, tail, end }: Bands): number {
  let least = Number.POSITIVE_INFINITY;
  for (let band = 0; band < nBands; band++) {
    const block = tail[band] ?? 0;
    if (block < (end[band] ?? 0)) least = Math.min(least, cells[2 * block + 1] ?? 0);
  }
  return least;
}

/** First block of each line of cells that has blocks, and the number of blocks at the end. */
function lineStarts({ cells, blockCount }: BlockIndex): Uint32Array {
  const isFirst = (block: number) => block === 0 || cells[2 * block] !== cells[2 * block - 2];
  let nLines = 0;
  for (let block = 0; block < blockCount; block++) nLines += Number(isFirst(block));
  const starts = new Uint32Array(nLines + 1).fill(blockCount);
  let line = 0;
  for (let block = 0; block < blockCount; block++) if (isFirst(block)) starts[line++] = block;
  return starts;
}

function bandArrays(side: number) {
  return { tail: new Uint32Array(side), head: new Uint32Array(side), end: new Uint32Array(side) };
}
