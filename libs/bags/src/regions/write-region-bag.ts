import type { CallOptions, ObjectStore } from "@parfocal/store";
import type { Bag, BagMetadata, BagRef } from "../bag.ts";
import { assertBagShape } from "../bag-limits.ts";
import { encodeBagMetadata } from "../bag-metadata.ts";
import { writeBagBytes } from "../bag-store.ts";
import { encodeSafetensorsHeader, type TensorShape } from "../safetensors/encode-safetensors.ts";
import type { GroundedSlide } from "./ground-bags.ts";
import { createRowSource } from "./grounded-rows.ts";

/** Rows are gathered in pieces of about this size while the bag is hashed and sent. */
const PIECE_BYTES = 8 * 1024 * 1024;

/** What a region bag is made of. */
export interface GroundedBags {
  readonly bags: readonly Bag[];
  readonly slide: GroundedSlide;
  readonly metadata: BagMetadata;
}

/**
 * Writes the bag under its digest. Its features are gathered a piece at a time, once to be hashed and once to be sent.
 *
 * @throws {DomainError} SHAPE_MISMATCH when it is beyond the bounds of a bag; what the store throws.
 */
export async function writeRegionBag(
  store: ObjectStore,
  prefix: string,
  { bags, slide, metadata }: GroundedBags,
  call: CallOptions,
): Promise<BagRef> {
  const [
    {
      d,
      features: { dtype },
    },
  ] = bags as [Bag];
  const { n, coords, level, flags } = slide;
  assertBagShape(n, d, dtype === "F16" ? 2 : 4);
  const shapes = new Map<string, TensorShape>([
    ["features", { dtype, shape: [n, d] }],
    ["coords", { dtype: "I32", shape: [n, 2] }],
    ["level", { dtype: "U8", shape: [n] }],
    ["flags", { dtype: "U8", shape: [n] }],
  ]);
  const { header, order } = encodeSafetensorsHeader(shapes, encodeBagMetadata(metadata));
  const data: Readonly<Record<string, () => Iterable<Uint8Array>>> = {
    features: () => gatheredRows(bags, slide),
    coords: () => [new Uint8Array(coords.buffer)],
    level: () => [level],
    flags: () => [flags],
  };
  const written = await writeBagBytes(
    store,
    prefix,
    () =>
      concatenated(
        header,
        order.map((name) => data[name]),
      ),
    call,
  );
  return { ...written, n, d, dtype, hasCoords: true };
}

function* concatenated(
  header: Uint8Array,
  parts: readonly ((() => Iterable<Uint8Array>) | undefined)[],
): Generator<Uint8Array> {
  yield header;
  for (const part of parts) yield* part?.() ?? [];
}

/** The features in block order, a piece at a time; each piece has memory of its own. */
function* gatheredRows(bags: readonly Bag[], slide: GroundedSlide): Generator<Uint8Array> {
  const { rowBytes, copyRow } = createRowSource(bags, slide);
  const pieceRows = Math.max(1, Math.floor(PIECE_BYTES / rowBytes));
  for (let first = 0; first < slide.n; first += pieceRows) {
    const nRows = Math.min(pieceRows, slide.n - first);
    const piece = new Uint8Array(nRows * rowBytes);
    for (let at = 0; at < nRows; at++) copyRow(first + at, piece, at * rowBytes);
    yield piece;
  }
}
