import { mapBounded } from "@parfocal/errors";
import type { PretrainModel } from "@parfocal/models";
import { createViewDrawer, type ViewRule } from "./draw-views.ts";
import type { RegionPool } from "./region-pool.ts";
import type { SampleOrder } from "./sample-order.ts";
import { type FeatureType, packViews, type ViewBatch } from "./view-batch.ts";

/** Views of some samples, with the numbers of the regions that they are of. */
export interface SampledBatch extends ViewBatch {
  readonly regions: readonly number[];
}

/**
 * Reads, crops, turns and masks the samples `first` to `first + count - 1`. @throws {DomainError} What reading throws, once no read of
 * the batch is under way any more.
 */
export type BatchMaker = (first: number, count: number, signal: AbortSignal) => Promise<SampledBatch>;

/** What a {@link BatchMaker} works with. */
export interface BatchMakerParts {
  readonly model: PretrainModel;
  readonly pool: RegionPool;
  readonly order: SampleOrder;
  readonly rule: ViewRule;
  readonly featureType: FeatureType;
}

/**
 * Makes batches of the samples of a pool. Reads run side by side, as many as the pool lets; a batch holds what its views need and
 * nothing else.
 */
export function createBatchMaker({ model, pool, order, rule, featureType }: BatchMakerParts): BatchMaker {
  const draw = createViewDrawer(rule);
  return async (first, count, signal) => {
    const samples = Array.from({ length: count }, (_, i) => first + i);
    const regions = samples.map((sample) => order.regionOf(sample));
    const sources = await mapBounded(regions, count, (region) => pool.read(region, signal));
    const views = sources.flatMap((source, i) => {
      const slide = pool.slideOf(regions[i] ?? 0);
      return draw(source.run, order.streamOf(first + i)).map((view) => ({ ...view, source, slide }));
    });
    return { ...packViews(model, views, featureType), regions };
  };
}
