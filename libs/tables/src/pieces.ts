import { setImmediate as nextTurn } from "node:timers/promises";

/** Characters of a piece of text: some hundred rows, which take some milliseconds. */
const PIECE_LENGTH = 64 * 1024;

/** After so long a piece ends, however short it is: one row of a table may be made of very much. */
const PIECE_MS = 20;

/** How long the piece that is being made has been made. */
export interface PieceClock {
  /** Whether it has taken long enough. */
  isDue(): boolean;
  /** Begins the next one. */
  restart(): void;
}

/** A clock that runs from now on. */
export function createPieceClock(): PieceClock {
  let begun = performance.now();
  return {
    isDue: () => performance.now() - begun >= PIECE_MS,
    restart: () => {
      begun = performance.now();
    },
  };
}

/** Lines of text, which bring their own ends, as pieces of UTF-8. */
export function* piecesOfText(lines: Iterable<string>): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
  const encoder = new TextEncoder();
  const clock = createPieceClock();
  let text = "";
  for (const line of lines) {
    text += line;
    if (text.length < PIECE_LENGTH && !clock.isDue()) continue;
    yield encoder.encode(text);
    text = "";
    clock.restart();
  }
  if (text !== "") yield encoder.encode(text);
}

/** The pieces as one. */
export function joinPieces(pieces: Iterable<Uint8Array>): Uint8Array<ArrayBuffer> {
  const all = [...pieces];
  const joined = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of all) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** The pieces one after another, each made in a turn of the event loop of its own. Empty ones are left out: they only end a turn. */
export async function* inTurns(
  pieces: Iterable<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  for (const piece of pieces) {
    if (piece.length > 0) yield piece;
    await nextTurn();
  }
}

/** Lines of text, which bring their own ends, as chunks of UTF-8. Others have their turn between any two. */
export function streamText(lines: Iterable<string>): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  return inTurns(piecesOfText(lines));
}
