import type { BagHeader, BagRef } from "@parfocal/bags";
import { type ObjectStore, streamVerified } from "@parfocal/store";

/** Rows of a bag's features, little endian, as they are stored. */
export interface RowBlock {
  /** Index of the first row. */
  readonly first: number;
  readonly nRows: number;
  /** Valid until the block after the next is asked for. */
  readonly bytes: Uint8Array;
}

/** What lies beside the features of a bag; whole once all blocks were taken. */
export interface BagSides {
  /** `[N, 2]`. */
  readonly coords?: Int32Array;
  /** `[N]`. */
  readonly level?: Uint8Array;
}

/** A bag that is read once, from its first byte to its last. */
export interface BagStream {
  /** Fills up while {@link BagStream.blocks} is read. */
  readonly sides: BagSides;
  /** All rows in blocks of `blockRows`, the last one maybe shorter. Throws `CORRUPT` at the end when the bag is another. */
  readonly blocks: AsyncIterable<RowBlock>;
}

/** Where a run of bytes of the object goes. */
interface Span {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/**
 * Reads a bag as it arrives, in constant memory but for what lies beside the features, and hashes it on the way: what was
 * made of the blocks may be used once the last one was taken.
 *
 * @throws {DomainError} Nothing here; the blocks throw `CORRUPT` when size or digest are not the reference's, and what the
 * store throws.
 */
export function streamBag(
  store: ObjectStore,
  ref: BagRef,
  header: BagHeader,
  { blockRows, signal }: { readonly blockRows: number; readonly signal: AbortSignal },
): BagStream {
  const coords = header.coords && new Int32Array(header.n * 2);
  const level = header.level && new Uint8Array(header.n);
  const spans: Span[] = [];
  if (header.coords && coords) spans.push({ start: header.coords.offsetBytes, bytes: new Uint8Array(coords.buffer) });
  if (header.level && level) spans.push({ start: header.level.offsetBytes, bytes: level });
  return {
    sides: { ...(coords && { coords }), ...(level && { level }) },
    blocks: readBlocks(streamVerified(store, ref.key, { ...ref, signal }), header, blockRows, spans),
  };
}

async function* readBlocks(
  chunks: AsyncIterable<Uint8Array>,
  { n, d, features }: BagHeader,
  blockRows: number,
  sides: readonly Span[],
): AsyncGenerator<RowBlock, void, undefined> {
  const rowBytes = d * (features.dtype === "F16" ? 2 : 4);
  const nBlocks = Math.ceil(n / blockRows);
  const buffers = [0, 1].slice(0, nBlocks).map(() => new Uint8Array(Math.min(n, blockRows) * rowBytes));
  let position = 0;
  let next = 0;
  const spanOf = (index: number): Span => {
    const first = index * blockRows;
    const nRows = Math.min(blockRows, n - first);
    const buffer = buffers[index % 2] ?? new Uint8Array();
    return { start: features.offsetBytes + first * rowBytes, bytes: buffer.subarray(0, nRows * rowBytes) };
  };
  for await (const chunk of chunks) {
    for (const side of sides) copyOverlap(side, chunk, position);
    const end = position + chunk.length;
    while (next < nBlocks) {
      const span = spanOf(next);
      copyOverlap(span, chunk, position);
      if (end < span.start + span.bytes.length) break;
      yield { first: next * blockRows, nRows: span.bytes.length / rowBytes, bytes: span.bytes };
      next += 1;
    }
    position = end;
  }
}

/** Copies what `chunk`, which begins at byte `position` of the object, has of a span into it. */
function copyOverlap({ start, bytes }: Span, chunk: Uint8Array, position: number): void {
  const from = Math.max(start, position);
  const to = Math.min(start + bytes.length, position + chunk.length);
  if (from < to) bytes.set(chunk.subarray(from - position, to - position), from - start);
}
