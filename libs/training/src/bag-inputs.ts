import { type BagHeader, type BagMetadata, type BagRef, readBagHeader } from "@parfocal/bags";
import type { RunRequest, TensorSource } from "@parfocal/engine";
import { assertNotAborted, DomainError, isDomainError } from "@parfocal/errors";
import type { Model } from "@parfocal/models";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import { type LackingBag, lackingBagOf, lackingLevelsError } from "./lacking-levels.ts";
import { shortDigest } from "./short-digest.ts";
import { type MadeSides, makeSides, neededSides, type RowSides } from "./sides/make-sides.ts";
import type { TileSides } from "./sides/placed-tiles.ts";
import { readSides } from "./sides/read-sides.ts";
import { sidesOfRows, uniqueRows } from "./sides/unique-cells.ts";
import { thinBag } from "./thin-bag.ts";

/** A bag as the engine takes it: where its tensors lie, not their bytes. */
export interface BagInput {
  readonly n: number;
  /** Sizes of the bag by the names that shapes give them. */
  readonly sizes: MadeSides["sizes"];
  /** The rows that the head gets; with their corners where these are not the bag's and were not left out to save memory. */
  readonly rows: Pick<RowSides, "n" | "coords">;
  /** Feeds by the names of `bagPorts`. */
  readonly feeds: Readonly<Record<string, TensorSource>>;
  readonly metadata: BagMetadata;
  /** Runs that put what the feeds name into the engine, each time before they are used; absent: it lies where it is. */
  readonly before?: readonly RunRequest[];
  /** The bags that were joined to this one. */
  readonly members?: readonly BagInput[];
  /** Rows of `features`, ascending, that the model takes, see `pickRows`; the other feeds and sizes are of these alone. Absent: all. */
  readonly picked?: Int32Array<ArrayBuffer>;
  /** Whether the members' rows are joined behind the re-embedder, through which each goes by itself; there are no feeds then. */
  readonly isJoinedBehind?: boolean;
}

/** Headers read at the same time: enough to hide a store's latency, few enough for its rate limits. */
const MAX_CONCURRENT_HEADERS = 16;

/** How bags are read for a model. */
export interface ReadOptions extends CallOptions {
  /** Hears how many tiles of a bag were left out, as they share a cell with others; bags that lose none are not told. */
  readonly onThinned?: (droppedCount: number) => void;
}

/**
 * Reads where the tensors of `ref` lie and checks that `model` can take them. Of a model that takes one tile of each cell, of a bag that
 * has more, these are the tensors of the bag that `thinBag` leaves in the store.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` naming both widths, or when the model needs coordinates or magnifications that the
 * bag has not; as `thinBag`; what the store throws.
 */
export async function readBagInput(
  store: ObjectStore,
  ref: BagRef,
  model: Model,
  options: ReadOptions = {},
): Promise<BagInput> {
  const { onThinned, ...call } = options;
  assertBagFits(model, ref);
  const header = await readBagHeader(store, ref, call);
  const sides = await readSides(store, ref, header, neededSides(model), call.signal);
  const rows = namingBag(ref, () => uniqueRows(model, { ...sides, metadata: header.metadata }));
  if (rows === undefined) return namingBag(ref, () => bagInputFrom(ref, header, sides, model));
  // Checked, so that one that was damaged is made anew instead of ending every training with this bag.
  const thinned = await thinBag(store, { ref, header }, rows, { ...call, verifies: true });
  onThinned?.(thinned.droppedCount);
  return readBagInput(store, thinned.ref, model, call);
}

/** Where the tensors of a bag lie that fits `model`; `picked`: the rows that it takes, all if absent. */
function bagInputFrom(
  ref: BagRef,
  header: BagHeader,
  sides: TileSides,
  model: Model,
  picked?: Int32Array<ArrayBuffer>,
): BagInput {
  const { metadata, coords } = header;
  const n = picked?.length ?? header.n;
  const made = makeSides(model, { n, metadata, ...(picked ? sidesOfRows(sides, picked) : sides) });
  const { tensors, sizes } = made;
  const isOfBag = model.outputRows === "tiles" && picked === undefined;
  const rows = { n: made.rows.n, ...(!isOfBag && made.rows.coords && { coords: made.rows.coords }) };
  const feeds = Object.entries(tensors).map(([name, tensor]): [string, TensorSource] => {
    // As they lie in the bag, from where the engine reads them.
    if (name === "coords" && coords !== undefined && picked === undefined)
      return [
        name,
        { ...objectOf(ref, header.etag), offsetBytes: coords.offsetBytes, dtype: "i32", shape: coords.shape },
      ];
    return [name, { kind: "inline", tensor }];
  });
  return {
    ...{ n, sizes, rows, metadata },
    feeds: { features: featureSource(ref, header), ...Object.fromEntries(feeds) },
    ...(picked && { picked }),
  };
}

/** What `make` gives; the errors of what lies in a bag name the bag by its digest, which names no slide. */
function namingBag<T>({ digest }: Pick<BagRef, "digest">, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!isDomainError(error)) throw error;
    throw new DomainError(error.code, `bag ${shortDigest(digest)}: ${error.message}`, {
      details: { ...error.details, bagDigest: digest },
      cause: error,
    });
  }
}

/**
 * Reads where the tensors of `ref` lie when it may be a bag that a re-embedder left: `tiles` `[N, D']`, known by its
 * encoder. Any other bag is read as {@link readBagInput} does, but that nothing of it is left in the store: of a bag with tiles that the
 * model does not take the input says which ones it does.
 *
 * @throws {DomainError} As {@link readBagInput}; `GEOMETRY_MISMATCH` for a re-embedded bag of another width.
 */
export async function readTilesOrBag(
  store: ObjectStore,
  ref: BagRef,
  { model, encoder }: { readonly model: Model; readonly encoder: string },
  signal?: AbortSignal,
): Promise<BagInput & { readonly isReembedded: boolean }> {
  assertNotEmpty(ref);
  const header = await readBagHeader(store, ref, signal ? { signal } : {});
  if (header.metadata.encoder !== encoder) {
    assertBagFits(model, ref);
    const sides = await readSides(store, ref, header, neededSides(model), signal);
    const input = namingBag(ref, () => {
      const picked = uniqueRows(model, { ...sides, metadata: header.metadata });
      return bagInputFrom(ref, header, sides, model, picked);
    });
    return { ...input, isReembedded: false };
  }
  assertWidth(ref, model.tileWidth);
  const feeds = { tiles: featureSource(ref, header) };
  const { n, metadata } = header;
  return { n, sizes: { N: n, M: n, R: n }, rows: { n }, feeds, metadata, isReembedded: true };
}

/**
 * {@link readBagInput} of many bags in their order, which stay in memory together: without corners.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` that tells of all bags at once which lack the magnifications that `model` looks at, how many
 * they are and which; else the first failure.
 */
export async function readBagInputs(
  store: ObjectStore,
  refs: readonly BagRef[],
  model: Model,
  options: ReadOptions = {},
): Promise<BagInput[]> {
  const read = async (ref: BagRef): Promise<BagInput | LackingBag> => {
    try {
      const input = await readBagInput(store, ref, model, options);
      return { ...input, rows: { n: input.rows.n } };
    } catch (error) {
      const lacking = lackingBagOf(error, ref.digest);
      if (lacking === undefined) throw error;
      return lacking;
    }
  };
  const found = await mapBags(refs, read, options.signal);
  const lacking = found.flatMap((bag) => ("lacks" in bag ? [bag] : []));
  if (lacking.length > 0) throw lackingLevelsError(lacking, refs.length);
  return found.flatMap((bag) => ("lacks" in bag ? [] : [bag]));
}

/** What `read` makes of each bag, in their order, a bounded number at a time. The first failure ends it. */
export async function mapBags<T>(
  refs: readonly BagRef[],
  read: (ref: BagRef) => Promise<T>,
  signal?: AbortSignal,
): Promise<T[]> {
  const results = new Array<T>(refs.length);
  const queue = refs.entries();
  let hasFailed = false;
  const work = async (): Promise<void> => {
    try {
      for (const [i, ref] of queue) {
        if (hasFailed) return;
        assertNotAborted(signal);
        results[i] = await read(ref);
      }
    } catch (error) {
      hasFailed = true;
      throw error;
    }
  };
  const workers = Array.from({ length: Math.min(MAX_CONCURRENT_HEADERS, refs.length) }, work);
  const outcomes = await Promise.allSettled(workers);
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  return results;
}

/**
 * Checks what a reference says of its bag.
 *
 * @throws {DomainError} `EMPTY_BAG`; `GEOMETRY_MISMATCH` naming both widths, or missing coordinates.
 */
export function assertBagFits(model: Model, ref: BagRef): void {
  assertNotEmpty(ref);
  assertWidth(ref, model.config.dIn);
  // What is only kept by magnification needs no place.
  if (model.sideInputs.every((name) => name === "kept") || ref.hasCoords) return;
  throw new DomainError("GEOMETRY_MISMATCH", "the bag has no coordinates; the model needs them");
}

function assertNotEmpty(ref: BagRef): void {
  if (ref.n < 1) throw new DomainError("EMPTY_BAG", `the bag has ${ref.n} tiles; it needs at least 1`);
}

function assertWidth(ref: BagRef, d: number): void {
  if (ref.d === d) return;
  throw new DomainError("GEOMETRY_MISMATCH", `the bag has ${ref.d} features per tile; the model takes ${d}`);
}

/** The features of a bag as the engine reads them, which checks the digest of the whole bag. */
export function featureSource(ref: BagRef, { etag, features }: BagHeader): TensorSource {
  const dtype = features.dtype === "F16" ? "f16" : "f32";
  return { ...objectOf(ref, etag), offsetBytes: features.offsetBytes, dtype, shape: features.shape };
}

/** The bag's object, whose digest the engine checks before it uses any of it. */
function objectOf({ key, digest, sizeBytes }: BagRef, etag: string) {
  return { kind: "object", key, etag, verify: { digest, sizeBytes } } as const;
}
