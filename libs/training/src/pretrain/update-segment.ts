import { type BatchContrast, contrastBatch, needsContrast } from "./contrast-batch.ts";
import type { PumpedResult } from "./engine-pump.ts";
import { addSums, type LossSums, sumsOfResult } from "./loss-sums.ts";
import type { PretrainPlan } from "./pretrain-plan.ts";
import { assertFiniteLosses, type LearnedBatch, nextBatch, type SegmentParts } from "./segment-parts.ts";

/** One update as its results came. */
export interface UpdateResult {
  /** Updates that are done with it. */
  readonly update: number;
  readonly sums: LossSums;
}

/**
 * Runs the updates `from` to `to - 1` on the state in the engine, giving each as its results come.
 *
 * @throws {DomainError} `NON_FINITE` naming the update and the regions of the micro-batch whose loss is none; what loader and
 * engine throw.
 */
export async function* runSegment(
  parts: SegmentParts,
  from: number,
  to: number,
): AsyncGenerator<UpdateResult, void, undefined> {
  const { plan, pump } = parts;
  const join = createJoiner(plan);
  for (let update = from; update < to; update++) {
    let contrast: BatchContrast | undefined;
    if (needsContrast(plan)) {
      // Projections need the weights of the update before, and the loss needs all of them.
      yield* join(await pump.drain());
      contrast = await contrastBatch(parts, update);
    }
    for await (const pumped of learnBatch(parts, update, contrast)) yield* join(pumped);
  }
  yield* join(await pump.drain());
}

async function* learnBatch(
  { plan, runs, loader, pump }: SegmentParts,
  update: number,
  contrast: BatchContrast | undefined,
): AsyncGenerator<PumpedResult<LearnedBatch>[], void, undefined> {
  const count = plan.spec.batchRegions / plan.spec.microBatchRegions;
  for (let index = 0; index < count; index++) {
    const batch = await nextBatch(loader, update);
    const place = { update, index, count };
    const { regions } = batch;
    const about = { ...place, regions, ...(contrast && { contrastiveLoss: contrast.loss }) };
    yield await pump.send(runs.learn(batch, place, contrast?.pulls[index]), about);
  }
}

/** Adds up the micro-batches of each update. */
function createJoiner(plan: PretrainPlan) {
  let sums: LossSums | undefined;
  return function* (pumped: readonly PumpedResult<LearnedBatch>[]): Generator<UpdateResult, void, undefined> {
    for (const { results, about } of pumped) {
      const [first] = results;
      if (first === undefined) continue;
      const own = {
        ...sumsOfResult(first),
        ...(about.contrastiveLoss !== undefined && { contrastive: about.contrastiveLoss }),
      };
      assertFiniteLosses(own, about, plan);
      sums = sums === undefined ? own : addSums(sums, own);
      if (about.index < about.count - 1) continue;
      yield { update: about.update + 1, sums };
      sums = undefined;
    }
  };
}
