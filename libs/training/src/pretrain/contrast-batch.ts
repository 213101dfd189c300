import type { HostTensor } from "@parfocal/engine";
import { DomainError } from "@parfocal/errors";
import { floatsFromHostTensor, hostTensorFromFloats } from "../host-tensor.ts";
import type { PumpedResult } from "./engine-pump.ts";
import type { PretrainPlan } from "./pretrain-plan.ts";
import { assertFiniteLosses, type LearnedBatch, nextBatch, type SegmentParts } from "./segment-parts.ts";

// Legend: V views of a micro-batch, P width of a projection.

/** The contrastive loss of a whole batch, made before its micro-batches learn. */
export interface BatchContrast {
  readonly loss: number;
  /** `[V, P]` by micro-batch: what pulls at the projections of its views. */
  readonly pulls: readonly HostTensor[];
}

/** Whether the contrastive loss spans more views than one run takes. */
export function needsContrast({ model, spec }: Pick<PretrainPlan, "model" | "spec">): boolean {
  return model.contrastive !== undefined && spec.microBatchRegions < spec.batchRegions;
}

/**
 * Projects all views of an update's batch by the weights in the engine, and contrasts them: every view has all others as negatives,
 * however many runs the batch takes. Exact, for one more pass of the encoder.
 *
 * Source: Gao et al. 2021, gradient caching.
 */
export async function contrastBatch(parts: SegmentParts, update: number): Promise<BatchContrast> {
  const { plan, runs, loader, pump } = parts;
  const count = plan.spec.batchRegions / plan.spec.microBatchRegions;
  const projected: PumpedResult<LearnedBatch>[] = [];
  const slides: number[] = [];
  for (let index = 0; index < count; index++) {
    const batch = await nextBatch(loader, update);
    slides.push(...batch.slides);
    const about = { update, index, count, regions: batch.regions };
    projected.push(...(await pump.send([runs.project(batch)], about)));
  }
  projected.push(...(await pump.drain()));
  const projections = joined(projected, plan);
  const regions = projected.flatMap(({ about }) => about.regions);
  await pump.send([runs.contrast(projections, slides)], { update, index: 0, count, regions });
  const [last] = await pump.drain();
  const outputs = last?.results[0]?.outputs ?? {};
  const [loss = Number.NaN] = floatsFromHostTensor(outputs.contrastiveLoss, "contrastiveLoss");
  assertFiniteLosses({ masked: 0, contrastive: loss }, { update, regions }, plan);
  return { loss, pulls: cut(floatsFromHostTensor(outputs.pulls, "pulls"), projections.shape, count) };
}

/** Projections of all micro-batches in their order, `[V', P]`. @throws {DomainError} `NON_FINITE` naming a micro-batch's regions. */
function joined(projected: readonly PumpedResult<LearnedBatch>[], plan: PretrainPlan): HostTensor {
  const width = plan.model.contrastive?.width ?? 1;
  const parts = projected.map(({ results, about }) => {
    const part = floatsFromHostTensor(results[0]?.outputs.projections, "projections");
    const bad = part.find((value) => !Number.isFinite(value));
    assertFiniteLosses({ masked: 0, contrastive: bad ?? 0 }, about, plan);
    return part;
  });
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return hostTensorFromFloats([all.length / width, width], all);
}

function cut(pulls: Float32Array, [nViews = 0, width = 0]: readonly number[], count: number): HostTensor[] {
  const size = pulls.length / count;
  if (!Number.isInteger(size)) throw new DomainError("INTERNAL", `${pulls.length} pulls for ${count} micro-batches`);
  return Array.from({ length: count }, (_, index) =>
    hostTensorFromFloats([nViews / count, width], pulls.subarray(index * size, (index + 1) * size)),
  );
}
