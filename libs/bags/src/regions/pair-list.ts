/** A growing list of pairs of 32-bit integers. */
export interface PairList {
  push(first: number, second: number): void;
  /** `[R, 2]` in the order of pushing. */
  toArray(): Int32Array;
}

/** Pairs of a piece: half a megabyte. */
const PIECE_PAIRS = 65_536;

/** An empty list. It grows by pieces: what is there is copied once, at the end. */
export function createPairList(): PairList {
  const pieces: Int32Array[] = [];
  let nPairs = 0;
  return {
    push(first, second) {
      const at = nPairs % PIECE_PAIRS;
      if (at === 0) pieces.push(new Int32Array(2 * PIECE_PAIRS));
      const piece = pieces.at(-1);
      if (piece !== undefined) [piece[2 * at], piece[2 * at + 1]] = [first, second];
      nPairs += 1;
    },
    toArray() {
      const all = new Int32Array(2 * nPairs);
      pieces.forEach((piece, at) => {
        const start = 2 * at * PIECE_PAIRS;
        all.set(piece.subarray(0, Math.min(piece.length, all.length - start)), start);
      });
      return all;
    },
  };
}
