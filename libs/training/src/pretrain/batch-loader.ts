import { tokenCount } from "@parfocal/geometry";
import { needsContrast } from "./contrast-batch.ts";
import type { SampledBatch } from "./draw-batch.ts";
import { sourceTilesOf, viewsPerSource } from "./draw-views.ts";
import { type Prefetch, prefetch } from "./prefetch.ts";
import type { PretrainPlan } from "./pretrain-plan.ts";

/**
 * Loads the micro-batches of the updates from `update` to the end, ahead of who wants them. Where a batch is contrasted as a
 * whole its micro-batches come twice, to be projected and to be learned from: what is held does not grow with the batch.
 */
export function createBatchLoader(plan: PretrainPlan, update: number, signal: AbortSignal): Prefetch<SampledBatch> {
  return prefetch(pieces(plan, update), { ahead: batchesAhead(plan), signal });
}

function* pieces(plan: PretrainPlan, from: number) {
  const { spec, length, train } = plan;
  const { microBatchRegions: size, batchRegions } = spec;
  const nPasses = needsContrast(plan) ? 2 : 1;
  for (let update = from; update < length.nUpdates; update++) {
    for (let pass = 0; pass < nPasses; pass++) {
      for (let first = update * batchRegions; first < (update + 1) * batchRegions; first += size) {
        yield (signal: AbortSignal) => train.makeBatch(first, size, signal);
      }
    }
  }
}

/** Memory for what was read and packed and nobody has asked for yet. */
const AHEAD_BYTES = 256 * 2 ** 20;

/** Micro-batches that are loaded at a time: at least the next two, however large. */
function batchesAhead({ model, spec, featureType }: PretrainPlan): number {
  const { levelCount } = model.config.mixer;
  const sourceTokens = tokenCount({ regionTiles: sourceTilesOf(model.config), levelCount });
  const tokens = sourceTokens + viewsPerSource(model.config) * model.nTokens;
  const bytes = spec.microBatchRegions * tokens * model.config.dIn * (featureType === "f16" ? 2 : 4);
  return Math.min(8, Math.max(2, Math.floor(AHEAD_BYTES / bytes)));
}
