import { DomainError } from "@parfocal/errors";
import type { ChunkOptions } from "../run-in-chunks.ts";
import type { SampledBatch } from "./draw-batch.ts";
import { sumsOfResult } from "./loss-sums.ts";
import { nameRegions } from "./name-regions.ts";
import { prefetch } from "./prefetch.ts";
import type { PretrainPlan } from "./pretrain-plan.ts";
import type { PretrainRuns } from "./pretrain-runs.ts";

/** Validation regions that are measured at most: the noise of their mean is then far below what masks do to one update. */
const MAX_MEASURED = 4096;

/** Share of the regions between two checkpoints that are measured at most: a few per cent of the time. */
const MEASURED_SHARE = 0.1;

/** How many regions are measured at each checkpoint, always the same ones. */
function countMeasured({ validation, spec, length }: PretrainPlan): number {
  const between = length.checkpointUpdates * spec.batchRegions * MEASURED_SHARE;
  const most = Math.max(spec.microBatchRegions, Math.min(MAX_MEASURED, Math.ceil(between)));
  return Math.min(validation.nRegions, most);
}

/**
 * The masked loss on the validation part, of the same regions under the same masks each time, without turns; null without such a
 * part.
 *
 * @throws {DomainError} `NON_FINITE` naming the regions of the micro-batch whose loss is none; what loader and engine throw.
 */
export async function measureValidation(
  plan: PretrainPlan,
  runs: PretrainRuns,
  { engine, signal }: Pick<ChunkOptions, "engine" | "signal">,
): Promise<number | null> {
  const nMeasured = countMeasured(plan);
  if (nMeasured === 0) return null;
  const loader = prefetch(pieces(plan, nMeasured), { ahead: 2, signal });
  let sum = 0;
  try {
    for (let batch = await loader.next(); batch !== undefined; batch = await loader.next()) {
      const [result] = await engine.run([runs.measure(batch)], { signal });
      const masked = result === undefined ? Number.NaN : sumsOfResult(result).masked;
      assertFinite(masked, batch, plan);
      sum += masked * batch.regions.length;
    }
  } finally {
    await loader.close();
  }
  return sum / nMeasured;
}

function* pieces({ spec, validation }: PretrainPlan, nMeasured: number) {
  const size = spec.microBatchRegions;
  for (let first = 0; first < nMeasured; first += size) {
    yield (signal: AbortSignal) => validation.makeBatch(first, Math.min(size, nMeasured - first), signal);
  }
}

function assertFinite(loss: number, { regions }: SampledBatch, { validation }: PretrainPlan): void {
  if (Number.isFinite(loss)) return;
  const { text, details } = nameRegions(validation.pool, regions);
  throw new DomainError("NON_FINITE", `the validation loss is ${loss} in validation ${text}`, { details });
}
