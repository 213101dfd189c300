import { createHash } from "node:crypto";
import { isDomainError } from "@parfocal/errors";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import type { Bag, BagMetadata, BagRef } from "../bag.ts";
import { readBag, readBagHeader } from "../bag-store.ts";
import { blockIndexOf } from "./block-index-of.ts";
import { type GroundedSlide, groundBags, type RegionReport } from "./ground-bags.ts";
import { writeIndex } from "./indexed-bag.ts";
import { magnificationsOf } from "./magnifications.ts";
import { markEdges } from "./mark-edges.ts";
import { type RegionOptions, type ResolvedRegionOptions, resolveRegionOptions } from "./region-options.ts";
import { assertSameSource } from "./same-source.ts";
import { writeRegionBag } from "./write-region-bag.ts";

/** What the region bag says made it; the number grows when the same bags give another one. */
const IMPORTER = "parfocal-regions/2";

/** A region bag that is in the store. */
export interface BuiltRegions {
  readonly ref: BagRef;
  readonly report: RegionReport;
  /** Whether it was there before. */
  readonly existed: boolean;
}

/** How far a build is. */
export interface BuildProgress {
  readonly nDone: number;
  readonly nTotal: number;
}

/** A region bag to build. */
export interface RegionBuild {
  /** Bags of one slide, one per magnification, in any order. */
  readonly refs: readonly BagRef[];
  readonly options?: RegionOptions;
  /** Folder that it is kept under, without a trailing slash. */
  readonly folder: string;
}

/**
 * Builds the region bag of one slide under `<folder>/<digest>.safetensors`, or finds it: a small object named after the
 * digests of the bags and the options points at it. Yields after each bag that is read. Refuses by the headers alone where
 * they tell enough. Holds the slide's features once, and 8 MiB of the gathered ones. Inputs are checked by their digests.
 *
 * @throws {DomainError} what {@link groundBags} throws; CORRUPT when a stored bag is another one; CANCELLED when the signal
 * fires; what the store throws.
 */
export async function* buildRegionBag(
  store: ObjectStore,
  { refs, options: given = {}, folder }: RegionBuild,
  call: CallOptions = {},
): AsyncGenerator<BuildProgress, BuiltRegions, undefined> {
  const options = resolveRegionOptions(given, refs.length);
  const inputsDigest = digestOfInputs(refs, options);
  const pointerKey = `${folder}/built/${inputsDigest}.json`;
  const found = await findBuilt(store, pointerKey, folder, call);
  if (found !== undefined) return found;
  await assertHeadersFit(store, refs, options, call);
  const bags: Bag[] = [];
  for (const ref of refs) {
    bags.push(await readBag(store, ref, call));
    yield { nDone: bags.length, nTotal: refs.length };
  }
  const slide = groundBags(bags, options);
  const metadata = regionMetadata(bags, slide, inputsDigest);
  const index = blockIndexOf({ ...slide, metadata });
  markEdges(slide.flags, index);
  const ref = await writeRegionBag(store, `${folder}/`, { bags, slide, metadata }, call);
  // Its bytes were made and hashed here, so nobody needs to read them all to know where its tiles lie.
  await writeIndex(store, folder, ref, index, call);
  const pointer = new TextEncoder().encode(JSON.stringify({ ref, report: slide.report }));
  await store.put(pointerKey, pointer, { ...call, contentType: "application/json" });
  return { ref, report: slide.report, existed: false };
}

/** A name for what is built: the same bags in another order give the same bag. */
function digestOfInputs(refs: readonly BagRef[], options: ResolvedRegionOptions): string {
  const bags = refs.map(({ digest }) => digest).sort();
  return createHash("sha256").update(JSON.stringify({ IMPORTER, bags, options })).digest("hex");
}

async function assertHeadersFit(
  store: ObjectStore,
  refs: readonly BagRef[],
  options: ResolvedRegionOptions,
  call: CallOptions,
): Promise<void> {
  const headers = await Promise.all(refs.map((ref) => readBagHeader(store, ref, call)));
  assertSameSource(
    headers.map(({ n, d, features, coords, metadata }) => {
      return { n, d, dtype: features.dtype, hasCoords: coords !== undefined, metadata };
    }),
  );
  const metadata = headers.map((header) => header.metadata);
  magnificationsOf(metadata, options);
}

/** What a pointer says, if the bag it points at is there. A damaged pointer is none: the bag is built anew. */
async function findBuilt(
  store: ObjectStore,
  pointerKey: string,
  folder: string,
  call: CallOptions,
): Promise<BuiltRegions | undefined> {
  try {
    const { bytes } = await store.get(pointerKey, call);
    const { ref, report } = JSON.parse(new TextDecoder().decode(bytes)) as Pick<BuiltRegions, "ref" | "report">;
    // Not as it stands there: a pointer must not lead out of its folder.
    const key = `${folder}/${/^[0-9a-f]{64}$/u.test(ref.digest) ? ref.digest : "damaged"}.safetensors`;
    await readBagHeader(store, { ...ref, key }, call);
    // Builds of before knew no stand-ins and made none.
    return {
      ref: { ...ref, key },
      report: { ...report, surrogateLevels: report.surrogateLevels ?? [] },
      existed: true,
    };
  } catch (error) {
    const isGone = ["NOT_FOUND", "INVALID_ARGUMENT", "TRUNCATED", "CORRUPT"] as const;
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    if (isGone.some((code) => isDomainError(error, code))) return undefined;
    throw error;
  }
}

/** Tile and resolution are those of the finest magnification, whether it has a bag or not, the stride that of the coarsest. */
function regionMetadata(bags: readonly Bag[], slide: GroundedSlide, inputsDigest: string): BagMetadata {
  const first = <K extends "slideId" | "patientId" | "encoder" | "coordUnit">(field: K) =>
    bags.map(({ metadata }) => metadata[field]).find((value) => value !== undefined);
  const { tilePx, mpp: finestMpp, level0Mpp } = bags[slide.finestBag]?.metadata ?? {};
  const mpp = finestMpp === undefined ? undefined : finestMpp / 2 ** slide.finestLevel;
  const { levelCount, anchorPx, coarsePx: level0StridePx } = slide;
  const { surrogateLevels } = slide.report;
  const known = { slideId: first("slideId"), patientId: first("patientId"), encoder: first("encoder") };
  const entries = Object.entries({ ...known, tilePx, mpp, level0Mpp, coordUnit: first("coordUnit") });
  return {
    ...Object.fromEntries(entries.filter(([, value]) => value !== undefined)),
    ...{ level0StridePx, levelCount, anchorPx, ...(surrogateLevels.length > 0 && { surrogateLevels }) },
    ...{ sourceDigest: inputsDigest, importer: IMPORTER },
  };
}
