import type { CallOptions, ObjectStore } from "@parfocal/store";
import type { BagRef } from "./bag.ts";
import { readBagHeader } from "./bag-store.ts";

/** Bytes of one tile's coordinates: x and y as I32. */
const BYTES_PER_TILE = 8;

/**
 * The coordinates of a stored bag alone, `[N, 2]` (x, y) in the pixels that `metadata.coordUnit` says, by two small
 * reads (header, then range); `undefined` when it has none.
 *
 * @throws {DomainError} what {@link readBagHeader} throws; PRECONDITION_FAILED when the object was replaced meanwhile.
 */
export async function readBagCoords(
  store: ObjectStore,
  ref: BagRef,
  options: CallOptions = {},
): Promise<Int32Array | undefined> {
  const { coords, etag, n } = await readBagHeader(store, ref, options);
  if (coords === undefined) return undefined;
  const range = { start: coords.offsetBytes, end: coords.offsetBytes + n * BYTES_PER_TILE };
  const { bytes } = await store.get(ref.key, { ...options, range, ifMatch: etag });
  // A copy of its own: the bytes may begin anywhere in a larger buffer (and `slice` of a Buffer would not copy).
  return new Int32Array(new Uint8Array(bytes).buffer);
}
