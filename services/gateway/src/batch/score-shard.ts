import { isDomainError, mapBounded } from "@parfocal/errors";
import { commonV1 } from "@parfocal/protocol";
import type { GatewayDeps } from "../deps.ts";
import { bagReferenceFromRef } from "../wire.ts";
import { type BatchPlan, type CaseOutcome, modelsToAsk } from "./batch-plan.ts";
import type { RowCounts } from "./row-tally.ts";
import { type BagScoring, type ScoringModel, scoreBags } from "./score-bags.ts";

/** What came of the rows of a shard, in their order: by model, `null` where the plan has the outcome already. */
export type ShardOutcomes = readonly (readonly (CaseOutcome | null)[])[];

/** A shard to score. */
export interface ShardJob {
  readonly plan: BatchPlan;
  readonly project: string;
  readonly shard: number;
  /** Hears how far the shard is. */
  onProgress(counts: RowCounts): void;
}

type Deps = Pick<GatewayDeps, "store" | "bags">;

/** Catalog entries read at a time. */
const CONCURRENT_READS = 32;

/** Scores a shard, model by model. @throws {DomainError} as `scoreBags`; what the store throws. */
export async function scoreShard(deps: Deps, scoring: BagScoring, job: ShardJob): Promise<ShardOutcomes> {
  const { plan } = job;
  const indices = plan.shards[job.shard] ?? [];
  const outcomes = indices.map(() => new Array<CaseOutcome | null>(plan.models.length).fill(null));
  const asks = indices.map((index) => modelsToAsk(plan, plan.rows[index]!));
  const references = await referencesOf(deps, job, indices, scoring.signal);
  const report = () => job.onProgress(countRows(outcomes, asks));
  for (const model of plan.models.keys()) {
    const places = [...indices.keys()].filter((place) => asks[place]?.includes(model));
    const bags = places.flatMap((place) => {
      const reference = references[place];
      if (reference !== undefined && !("code" in reference)) return [{ place, bag: reference }];
      outcomes[place]![model] = reference ?? null;
      return [];
    });
    await scoreBags(
      scoring,
      modelOf(plan, model),
      bags.map(({ bag }) => bag),
      (at, outcome) => {
        outcomes[bags[at]!.place]![model] = outcome;
        report();
      },
    );
  }
  report();
  return outcomes;
}

/** The bags as stages take them. One that was deleted since the plan is a failure. */
function referencesOf(
  { store, bags }: Deps,
  { plan, project }: ShardJob,
  indices: readonly number[],
  signal: AbortSignal,
) {
  return mapBounded(indices, CONCURRENT_READS, async (index) => {
    try {
      const { ref } = await bags.get(project, plan.rows[index]?.bag ?? "", { signal });
      return bagReferenceFromRef(store, ref);
    } catch (error) {
      if (!isDomainError(error, "NOT_FOUND")) throw error;
      const { code, message } = error;
      return { code, message };
    }
  });
}

function modelOf({ models, isTransient }: BatchPlan, index: number): ScoringModel {
  const { reference, reembedder } = models[index]!;
  return {
    reference: commonV1.ModelReference.fromJSON(reference),
    // Where nothing may be left behind, bags are re-embedded by the stage that aggregates.
    isReembedded: reembedder !== "" && !isTransient,
  };
}

/** Rows of which every model that was asked has spoken, and whether all of them scored it. */
function countRows(
  outcomes: readonly (readonly (CaseOutcome | null)[])[],
  asks: readonly (readonly number[])[],
): RowCounts {
  let [scored, failed] = [0, 0];
  for (const [place, asked] of asks.entries()) {
    const known = asked.map((model) => outcomes[place]?.[model] ?? null);
    if (known.includes(null)) continue;
    if (known.some((outcome) => outcome !== null && "code" in outcome)) failed += 1;
    else scored += 1;
  }
  return { scored, failed };
}
