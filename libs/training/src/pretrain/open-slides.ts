import {
  type BagRef,
  createRegionReader,
  type IndexedBag,
  openIndexedBag,
  type RegionReader,
  regionOrigins,
} from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { PretrainModelConfig } from "@parfocal/models";
import type { ObjectStore } from "@parfocal/store";
import { mapBags } from "../bag-inputs.ts";
import type { BagSourceFacts } from "../job.ts";
import { commonSource } from "../source-facts.ts";
import { createTurns, type Turns } from "./create-turns.ts";
import { sourceTilesOf } from "./draw-views.ts";
import type { PretrainJob } from "./pretrain-job.ts";
import { readingError } from "./reading-error.ts";
import type { SlideSources } from "./region-pool.ts";

/** Slides of which is known where their tiles lie. */
export interface OpenedSlides {
  /** By row of the job's bags. */
  readonly slides: readonly SlideSources[];
  /** What the bags agree on. */
  readonly source: BagSourceFacts;
  /** Coarse cells of all bags that hold a tile. */
  readonly nCells: number;
}

/**
 * Ranges that are read at a time: twice the sockets that a store has by default. More would only queue there, their time limits
 * running, and a folder has a file open for each.
 */
const MAX_CONCURRENT_RANGES = 128;

/**
 * Opens the region bags of a job: indices of their blocks, of which those that are not in the job's folder yet are made, reading
 * and verifying the bag. A source may begin at any coarse cell from which enough of every magnification is there. Whoever reads
 * sources, only so many are read at a time as make {@link MAX_CONCURRENT_RANGES}; the others wait in their order.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` for a bag that is no region bag, of another number of magnifications, or of another
 * encoder or resolution than the others; what the store throws, with the digest of the bag in `bagDigest`.
 */
export async function openSlides(
  { bags, spec, regionsPrefix }: PretrainJob,
  config: PretrainModelConfig,
  store: ObjectStore,
  signal: AbortSignal,
): Promise<OpenedSlides> {
  const refs = bags.map(({ bag }) => bag);
  const open = async (ref: BagRef): Promise<IndexedBag> => {
    try {
      return await openIndexedBag(store, ref, regionsPrefix, { signal });
    } catch (error) {
      throw readingError(error, { what: "region bag", digest: ref.digest }, signal);
    }
  };
  const opened = await mapBags(refs, open, signal);
  for (const { index } of opened) assertMagnifications(index.levelCount, config.mixer.levelCount);
  // A stand-in is made of its children: seen it would tell of those that were removed, and nothing is to be learned from it.
  const reader = createRegionReader(store, { skipPseudo: true });
  const turns = createTurns(Math.max(1, Math.floor(MAX_CONCURRENT_RANGES / sourceTilesOf(config))));
  return {
    slides: opened.map((bag) => sourcesOf({ reader, turns }, bag, config, spec.minPresence)),
    source: commonSource(opened.map(({ header }) => header)),
    nCells: opened.reduce((sum, { index }) => sum + index.blockCount, 0),
  };
}

function sourcesOf(
  { reader, turns }: { readonly reader: RegionReader; readonly turns: Turns },
  bag: IndexedBag,
  config: PretrainModelConfig,
  minPresence: number,
): SlideSources {
  const tiles = sourceTilesOf(config);
  const { levels } = config.mixer;
  const origins = regionOrigins(bag.index, {
    ...{ regionTiles: tiles, step: "every", minPresence, levels },
    skipPseudo: true,
  });
  return {
    digest: bag.ref.digest,
    nSources: origins.length / 2,
    read(source, signal) {
      const origin = [origins[2 * source] ?? 0, origins[2 * source + 1] ?? 0] as const;
      return turns(() => reader.readSource(bag, { origin, tiles }, { signal }), signal);
    },
  };
}

function assertMagnifications(found: number, wanted: number): void {
  if (found === wanted) return;
  const problem = `a region bag has ${found} magnifications; the mixer takes ${wanted}`;
  const hint = found < wanted ? ": BuildRegions joins a slide that lacks some when levelMpps names all" : "";
  const message = `${problem}${hint}`;
  throw new DomainError("GEOMETRY_MISMATCH", message, {
    details: { field: "levelCount", expected: `${wanted}`, found: `${found}` },
  });
}
