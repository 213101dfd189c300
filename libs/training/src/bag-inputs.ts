import { type BagHeader, type BagMetadata, type BagRef, readBagHeader } from "@parfocal/bags";
import type { RunRequest, TensorSource } from "@parfocal/engine";
import { assertNotAborted, DomainError, isDomainError } from "@parfocal/errors";
import type { Model } from "@parfocal/models";
import type { ObjectStore } from "@parfocal/store";
import type { BagSourceFacts } from "./job.ts";
import { shortDigest } from "./short-digest.ts";
import { type MadeSides, makeSides, neededSides, type RowSides } from "./sides/make-sides.ts";
import type { TileSides } from "./sides/placed-tiles.ts";

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
  /** Whether the members' rows are joined behind the re-embedder, through which each goes by itself; there are no feeds then. */
  readonly isJoinedBehind?: boolean;
}

/** Headers read at the same time: enough to hide a store's latency, few enough for its rate limits. */
const MAX_CONCURRENT_HEADERS = 16;

/**
 * Reads where the tensors of `ref` lie and checks that `model` can take them.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` naming both widths, or when the model needs coordinates or magnifications that the
 * bag has not; what the store throws.
 */
export async function readBagInput(
  store: ObjectStore,
  ref: BagRef,
  model: Model,
  signal?: AbortSignal,
): Promise<BagInput> {
  assertBagFits(model, ref);
  return bagInputFromHeader(store, ref, await readBagHeader(store, ref, signal ? { signal } : {}), model, signal);
}

/** Where the tensors of a bag lie that fits `model`. */
async function bagInputFromHeader(
  store: ObjectStore,
  ref: BagRef,
  header: BagHeader,
  model: Model,
  signal: AbortSignal | undefined,
): Promise<BagInput> {
  const { n, metadata, coords } = header;
  const sides = await readSides(store, ref, header, neededSides(model), signal);
  const made = namingBag(ref, () => makeSides(model, { n, metadata, ...sides }));
  const { tensors, sizes } = made;
  const rows = {
    n: made.rows.n,
    ...(model.outputRows !== "tiles" && made.rows.coords && { coords: made.rows.coords }),
  };
  const feeds = Object.entries(tensors).map(([name, tensor]): [string, TensorSource] => {
    // As they lie in the bag, from where the engine reads them.
    if (name === "coords" && coords !== undefined)
      return [
        name,
        { ...objectOf(ref, header.etag), offsetBytes: coords.offsetBytes, dtype: "i32", shape: coords.shape },
      ];
    return [name, { kind: "inline", tensor }];
  });
  return { n, sizes, rows, feeds: { features: featureSource(ref, header), ...Object.fromEntries(feeds) }, metadata };
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

/**
 * Reads where the tensors of `ref` lie when it may be a bag that a re-embedder left: `tiles` `[N, D']`, known by its
 * encoder. Any other bag is read as {@link readBagInput} does.
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
    return { ...(await bagInputFromHeader(store, ref, header, model, signal)), isReembedded: false };
  }
  assertWidth(ref, model.tileWidth);
  const feeds = { tiles: featureSource(ref, header) };
  const { n, metadata } = header;
  return { n, sizes: { N: n, M: n, R: n }, rows: { n }, feeds, metadata, isReembedded: true };
}

/** {@link readBagInput} of many bags in their order, which stay in memory together: without corners. */
export function readBagInputs(
  store: ObjectStore,
  refs: readonly BagRef[],
  model: Model,
  signal?: AbortSignal,
): Promise<BagInput[]> {
  const read = async (ref: BagRef): Promise<BagInput> => {
    const input = await readBagInput(store, ref, model, signal);
    return { ...input, rows: { n: input.rows.n } };
  };
  return mapBags(refs, read, signal);
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

/** Scanners at one nominal magnification differ by a few per cent; the next magnification is a factor of 2 away. */
const MPP_TOLERANCE = 0.1;

/**
 * Checks that two sources of bags are alike. What either does not say is taken to agree.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` naming both encoders, both tile sizes, or both resolutions when they differ by
 * more than 10 %.
 */
export function assertSourceFits(expected: BagSourceFacts, found: BagSourceFacts): void {
  for (const field of ["encoder", "tilePx", "mpp"] as const) {
    const [wanted, value] = [expected[field], found[field]];
    if (wanted === undefined || value === undefined || areAlike(wanted, value, field)) continue;
    const message = `the ${field} of the bag is ${value}, that of the other bags or of the model ${wanted}`;
    throw new DomainError("GEOMETRY_MISMATCH", message, {
      details: { field, expected: `${wanted}`, found: `${value}` },
    });
  }
}

function areAlike(a: string | number, b: string | number, field: keyof BagSourceFacts): boolean {
  if (field !== "mpp") return a === b;
  return Math.abs(Number(a) - Number(b)) <= MPP_TOLERANCE * Number(a);
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
