import { type BagFrame, type BagHeader, type BagRef, encodeBagFrame } from "@parfocal/bags";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import { putStreamed } from "./put-streamed.ts";
import { streamBag } from "./reembed/bag-stream.ts";
import { reembedSlot } from "./reembed/reembed-cache.ts";
import { readSides } from "./sides/read-sides.ts";
import { sidesOfRows } from "./sides/unique-cells.ts";

// Legend: N tiles of a bag, M of them kept.

/** Where thinned bags are kept beside re-embeddings; another rule would have another name. */
const RULE = "unique-cells";

/** Rows are read and written in pieces of about this size. */
const PIECE_BYTES = 4 * 1024 * 1024;

/** A bag and where its tensors lie. */
export interface StoredBag {
  readonly ref: BagRef;
  readonly header: BagHeader;
}

/** Options of {@link thinBag}. */
export interface ThinOptions extends CallOptions {
  /** Whether a thinned bag that is there is read and its digest checked before it is the answer. Default: no. */
  readonly verifies?: boolean;
}

/** What {@link thinBag} leaves of a bag. */
export interface ThinnedBag {
  readonly ref: BagRef;
  /** Tiles that were left out. */
  readonly droppedCount: number;
}

/**
 * The bag that has the tiles `rows` `[M]`, ascending, of a stored one, with everything that lies beside them and all that is known of the
 * slide. It is written once, by whoever comes first, and kept as re-embeddings are, by the digest of the whole bag: `rows` must follow from
 * that. The whole bag is verified while it is read; memory: a few pieces.
 *
 * @throws {DomainError} `CORRUPT` when the stored bag is another one; `PRECONDITION_FAILED` when it was replaced meanwhile; what the store throws.
 */
export async function thinBag(
  store: ObjectStore,
  bag: StoredBag,
  rows: Int32Array,
  options: ThinOptions = {},
): Promise<ThinnedBag> {
  const { verifies = false, ...call } = options;
  const slot = reembedSlot(store, RULE, bag.ref.digest);
  const droppedCount = bag.ref.n - rows.length;
  const found = await slot.find({ ...call, verifies });
  if (found !== undefined) return { ref: found, droppedCount };
  const frame = await frameOf(store, bag, rows, call);
  const sizeBytes = frame.before.length + rows.length * rowBytesOf(bag.header) + frame.after.length;
  const parts = () => thinnedParts(store, bag, rows, frame, call);
  const { n: _n, ...kept } = bag.ref;
  const ref = { ...kept, ...(await putStreamed(store, slot.folder, parts, sizeBytes, call)), n: rows.length };
  await slot.remember(ref, call);
  return { ref, droppedCount };
}

function rowBytesOf({ d, features }: BagHeader): number {
  return d * (features.dtype === "F16" ? 2 : 4);
}

/** What stands around the features of the thinned bag. */
async function frameOf(
  store: ObjectStore,
  { ref, header }: StoredBag,
  rows: Int32Array,
  call: CallOptions,
): Promise<BagFrame> {
  const { d, metadata, features } = header;
  const sides = await readSides(store, ref, header, ["coords", "level"], call.signal);
  const flags = await flagsOf(store, { ref, header }, call);
  const bag = {
    ...{ n: rows.length, d, metadata },
    ...sidesOfRows(sides, rows),
    ...(flags && { flags: Uint8Array.from(rows, (row) => flags[row] ?? 0) }),
  };
  return encodeBagFrame(bag, features.dtype);
}

async function flagsOf(
  store: ObjectStore,
  { ref, header: { flags, etag } }: StoredBag,
  call: CallOptions,
): Promise<Uint8Array | undefined> {
  if (flags === undefined) return undefined;
  const range = { start: flags.offsetBytes, end: flags.offsetBytes + flags.lengthBytes };
  return (await store.get(ref.key, { ...call, range, ifMatch: etag })).bytes;
}

async function* thinnedParts(
  store: ObjectStore,
  { ref, header }: StoredBag,
  rows: Int32Array,
  frame: BagFrame,
  { signal = new AbortController().signal }: CallOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const rowBytes = rowBytesOf(header);
  const blockRows = Math.max(1, Math.floor(PIECE_BYTES / rowBytes));
  let next = 0;
  yield frame.before;
  for await (const { first, nRows, bytes } of streamBag(store, ref, header, { blockRows, signal }).blocks) {
    const start = next;
    while (next < rows.length && (rows[next] ?? 0) < first + nRows) next += 1;
    // Memory of its own: the block's is used again.
    const piece = new Uint8Array((next - start) * rowBytes);
    for (let at = start; at < next; at++) {
      const from = ((rows[at] ?? 0) - first) * rowBytes;
      piece.set(bytes.subarray(from, from + rowBytes), (at - start) * rowBytes);
    }
    if (piece.length > 0) yield piece;
  }
  yield frame.after;
}
