import { DomainError } from "@parfocal/errors";
import type { SampledBatch } from "./draw-batch.ts";
import type { EnginePump } from "./engine-pump.ts";
import type { LossSums } from "./loss-sums.ts";
import { nameRegions } from "./name-regions.ts";
import type { Prefetch } from "./prefetch.ts";
import type { PretrainPlan } from "./pretrain-plan.ts";
import type { BatchPlace, PretrainRuns } from "./pretrain-runs.ts";

/** What is said of a message: which micro-batch it is about. */
export interface LearnedBatch extends BatchPlace {
  readonly regions: readonly number[];
  /** Contrastive loss of the whole batch, where it was made apart. */
  readonly contrastiveLoss?: number;
}

/** What the updates of a pretraining are made by. */
export interface SegmentParts {
  readonly plan: PretrainPlan;
  readonly runs: PretrainRuns;
  readonly loader: Prefetch<SampledBatch>;
  readonly pump: EnginePump<LearnedBatch>;
}

/** The loader's next micro-batch. @throws {DomainError} `INTERNAL` when there is none; what loading throws. */
export async function nextBatch(loader: Prefetch<SampledBatch>, update: number): Promise<SampledBatch> {
  const batch = await loader.next();
  if (batch !== undefined) return batch;
  throw new DomainError("INTERNAL", `the loader ended before update ${update + 1}`);
}

/** Checks the losses of an update's regions. @throws {DomainError} `NON_FINITE` naming update, regions and their bags. */
export function assertFiniteLosses(
  { masked, contrastive }: Pick<LossSums, "masked" | "contrastive">,
  { update, regions }: Pick<LearnedBatch, "update" | "regions">,
  { length, train }: Pick<PretrainPlan, "length" | "train">,
): void {
  const bad = [masked, contrastive].find((loss) => !Number.isFinite(loss));
  if (bad === undefined) return;
  const named = nameRegions(train.pool, regions);
  const where = `update ${update + 1} of ${length.nUpdates}, in training ${named.text}`;
  const message = `the pretraining loss is ${bad} at ${where}; lower the step size or check the bags`;
  throw new DomainError("NON_FINITE", message, { details: { update: `${update + 1}`, ...named.details } });
}
