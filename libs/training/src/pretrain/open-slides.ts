import { createRegionReader, type IndexedBag, openIndexedBag, type RegionReader, regionOrigins } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import type { PretrainModelConfig } from "@parfocal/models";
import type { ObjectStore } from "@parfocal/store";
import { mapBags } from "../bag-inputs.ts";
import type { BagSourceFacts } from "../job.ts";
import { commonSource } from "../plan.ts";
import { sourceTilesOf } from "./draw-views.ts";
import type { PretrainJob } from "./pretrain-job.ts";
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
 * Opens the region bags of a job: indices of their blocks, of which those that are not in the job's folder yet are made, reading
 * and verifying the bag. A source may begin at any coarse cell from which enough of every magnification is there.
 *
 * @throws {DomainError} `GEOMETRY_MISMATCH` for a bag that is no region bag, of another number of magnifications, or of another
 * encoder or resolution than the others; what the store throws.
 */
export async function openSlides(
  { bags, spec, regionsPrefix }: PretrainJob,
  config: PretrainModelConfig,
  store: ObjectStore,
  signal: AbortSignal,
): Promise<OpenedSlides> {
  const refs = bags.map(({ bag }) => bag);
  const opened = await mapBags(refs, (ref) => openIndexedBag(store, ref, regionsPrefix, { signal }), signal);
  for (const { index } of opened) assertMagnifications(index.levelCount, config.mixer.levelCount);
  const reader = createRegionReader(store);
  return {
    slides: opened.map((bag) => sourcesOf(reader, bag, config, spec.minPresence)),
    source: commonSource(opened.map(({ header }) => header)),
    nCells: opened.reduce((sum, { index }) => sum + index.blockCount, 0),
  };
}

function sourcesOf(
  reader: RegionReader,
  bag: IndexedBag,
  config: PretrainModelConfig,
  minPresence: number,
): SlideSources {
  const tiles = sourceTilesOf(config);
  const { levels } = config.mixer;
  const origins = regionOrigins(bag.index, { regionTiles: tiles, step: "every", minPresence, levels });
  return {
    nSources: origins.length / 2,
    read(source, signal) {
      const origin = [origins[2 * source] ?? 0, origins[2 * source + 1] ?? 0] as const;
      return reader.readSource(bag, { origin, tiles }, { signal });
    },
  };
}

function assertMagnifications(found: number, wanted: number): void {
  if (found === wanted) return;
  const message = `a region bag has ${found} magnifications; the mixer takes ${wanted}`;
  throw new DomainError("GEOMETRY_MISMATCH", message, {
    details: { field: "levelCount", expected: `${wanted}`, found: `${found}` },
  });
}
