import { type BagHeader, type BagMetadata, type BagRef, readBagHeader } from "@parfocal/bags";
import type { HostTensor, TensorSource } from "@parfocal/engine";
import { assertNotAborted, DomainError } from "@parfocal/errors";
import { gridFromCoords, type Model, type SideInput } from "@parfocal/models";
import type { ObjectStore } from "@parfocal/store";
import type { BagSourceFacts } from "./job.ts";

/** A bag as the engine takes it: where its tensors lie, not their bytes. */
export interface BagInput {
  readonly n: number;
  /** Feeds by the names of `bagPorts`. */
  readonly feeds: Readonly<Record<string, TensorSource>>;
  readonly metadata: BagMetadata;
}

/** Headers read at the same time: enough to hide a store's latency, few enough for its rate limits. */
const MAX_CONCURRENT_HEADERS = 16;

/**
 * Reads where the tensors of `ref` lie and checks that `model` can take them.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` naming both widths, or when the model needs coordinates that the bag has not;
 * what the store throws.
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
  const sides: Record<string, TensorSource> = {};
  for (const name of model.sideInputs) sides[name] = await sideSource(store, ref, header, name, signal);
  return { n: header.n, feeds: { features: featureSource(ref, header), ...sides }, metadata: header.metadata };
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
  return { n: header.n, feeds, metadata: header.metadata, isReembedded: true };
}

/** {@link readBagInput} of many bags in their order. */
export function readBagInputs(
  store: ObjectStore,
  refs: readonly BagRef[],
  model: Model,
  signal?: AbortSignal,
): Promise<BagInput[]> {
  return mapBags(refs, (ref) => readBagInput(store, ref, model, signal), signal);
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
  if (model.sideInputs.length === 0 || ref.hasCoords) return;
  throw new DomainError("GEOMETRY_MISMATCH", "the bag has no coordinates; the model needs them");
}

function assertNotEmpty(ref: BagRef): void {
  if (ref.n < 1) throw new DomainError("EMPTY_BAG", `the bag has ${ref.n} tiles; it needs at least 1`);
}

function assertWidth(ref: BagRef, d: number): void {
  if (ref.d === d) return;
  throw new DomainError("GEOMETRY_MISMATCH", `the bag has ${ref.d} features per tile; the model takes ${d}`);
}

function featureSource(ref: BagRef, { etag, features }: BagHeader): TensorSource {
  const dtype = features.dtype === "F16" ? "f16" : "f32";
  return { ...objectOf(ref, etag), offsetBytes: features.offsetBytes, dtype, shape: features.shape };
}

/** Coordinates as they lie in the bag; grid cells made of them here, which are 8 bytes a tile. */
async function sideSource(
  store: ObjectStore,
  ref: BagRef,
  { etag, coords, metadata }: BagHeader,
  name: SideInput,
  signal: AbortSignal | undefined,
): Promise<TensorSource> {
  if (coords === undefined)
    throw new DomainError("GEOMETRY_MISMATCH", "the bag has no coordinates; the model needs them");
  const { offsetBytes, lengthBytes, shape } = coords;
  if (name === "coords") return { ...objectOf(ref, etag), offsetBytes, dtype: "i32", shape };
  const range = { start: offsetBytes, end: offsetBytes + lengthBytes };
  const { bytes } = await store.get(ref.key, { range, ifMatch: etag, ...(signal && { signal }) });
  return { kind: "inline", tensor: gridTensor(new Int32Array(new Uint8Array(bytes).buffer), metadata) };
}

/** Cells `[N, 2]` i32 of tiles on the slide's grid, from their corners. */
export function gridTensor(coords: Int32Array, { level0StridePx }: BagMetadata): HostTensor {
  const { grid } = gridFromCoords(coords, level0StridePx === undefined ? {} : { stridePx: level0StridePx });
  return { dtype: "i32", shape: [grid.length / 2, 2], data: new Uint8Array(grid.buffer) };
}

/** The bag's object, whose digest the engine checks before it uses any of it. */
function objectOf({ key, digest, sizeBytes }: BagRef, etag: string) {
  return { kind: "object", key, etag, verify: { digest, sizeBytes } } as const;
}
