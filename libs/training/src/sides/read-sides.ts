import type { BagHeader, BagRef } from "@parfocal/bags";
import type { ObjectStore } from "@parfocal/store";
import type { TileSides } from "./placed-tiles.ts";

/** What of `names` lies beside the features of a bag, read by ranges of the version that the header is of. */
export async function readSides(
  store: ObjectStore,
  ref: BagRef,
  header: BagHeader,
  names: readonly (keyof TileSides)[],
  signal: AbortSignal | undefined,
): Promise<TileSides> {
  const sides: { coords?: Int32Array; level?: Uint8Array } = {};
  for (const name of names) {
    const info = header[name];
    if (info === undefined) continue;
    const range = { start: info.offsetBytes, end: info.offsetBytes + info.lengthBytes };
    const { bytes } = await store.get(ref.key, { range, ifMatch: header.etag, ...(signal && { signal }) });
    // A copy of its own: the bytes may begin anywhere in a larger buffer.
    const own = new Uint8Array(bytes);
    if (name === "level") sides.level = own;
    else sides.coords = new Int32Array(own.buffer);
  }
  return sides;
}
