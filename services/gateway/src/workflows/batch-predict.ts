import { shareWork } from "@parfocal/errors";
import { gatewayV1 } from "@parfocal/protocol";
import type { ObjectStore } from "@parfocal/store";
import type { Json, StepContext, Workflow, WorkflowContext } from "@parfocal/workflows";
import { type BatchPlan, readPlan, shardDigest, writePlan } from "../batch/batch-plan.ts";
import type { Gate } from "../batch/gate.ts";
import { type PlanningDeps, planBatch } from "../batch/plan-batch.ts";
import { publishBatch } from "../batch/publish-batch.ts";
import { createRowTally, type RowCounts, type RowTally } from "../batch/row-tally.ts";
import { type ShardOutcomes, scoreShard } from "../batch/score-shard.ts";
import { readShard, writeShard } from "../batch/shard-object.ts";
import { keys } from "../catalog/keys.ts";
import type { GatewayDeps } from "../deps.ts";
import { mapSteps } from "./map-steps.ts";
import { MAX_STAGE_ATTEMPTS } from "./stage-steps.ts";

/** What batches work with. */
export interface BatchDeps extends PlanningDeps, Pick<GatewayDeps, "aggregate" | "reembed"> {
  /** Calls of each stage at a time, over all batches. */
  readonly gates: { readonly aggregate: Gate; readonly reembed: Gate };
  /** Shards of one batch under way at a time. */
  readonly concurrentShards: number;
}

/** What the journal keeps of the plan. */
interface PlanEntry {
  readonly key: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly nRows: number;
  readonly nShards: number;
  /** Rows of which everything is known: they mean no bag, or an earlier batch scored them. */
  readonly scored: number;
  readonly failed: number;
  readonly [key: string]: Json;
}

/**
 * Scores a manifest: a step that reads it and looks everything up, a step per shard, and one that writes the results. Plan and
 * shards are objects of the operation, the journal holds where they are: 10 000 bags are some 160 entries.
 */
export function createBatchPredictWorkflow(deps: BatchDeps): Workflow<Json, Json> {
  return async (context, input) => {
    const request = gatewayV1.BatchPredictRequest.fromJSON(input);
    const entry = await context.step("plan", (step) => plan(deps, context, request, step));
    const run = createRun(deps.store, entry);
    const shards = Array.from({ length: entry.nShards }, (_, shard) => shard);
    await mapSteps(shards, deps.concurrentShards, async (shard) => {
      const work = (step: StepContext) => runShard(deps, context, { run, shard }, step);
      const counts = await context.step(`shard-${shard}`, work, { maxAttempts: MAX_STAGE_ATTEMPTS });
      run.tally.set(shard, counts);
    });
    const write = (step: StepContext) => publish(deps, context, { run, request }, step);
    return context.step("publish", write, { maxAttempts: MAX_STAGE_ATTEMPTS });
  };
}

async function plan(
  deps: BatchDeps,
  { project, operationId }: WorkflowContext,
  request: gatewayV1.BatchPredictRequest,
  { signal, report }: StepContext,
): Promise<PlanEntry> {
  report({ phase: "reading the manifest" });
  const made = await planBatch(deps, project, request, signal);
  const stored = await writePlan(deps.store, keys.batchPlan(project, operationId), made, { signal });
  const failed = made.rows.filter(({ bag }) => bag === undefined).length;
  const nAsking = made.shards.flat().length;
  const counts = { scored: made.rows.length - failed - nAsking, failed };
  return { ...stored, nRows: made.rows.length, nShards: made.shards.length, ...counts };
}

/** One run of the workflow: what its steps share in memory. */
interface BatchRun {
  readonly entry: PlanEntry;
  readonly tally: RowTally;
  /** The plan, read at the first call. */
  readPlan(signal: AbortSignal): Promise<BatchPlan>;
}

function createRun(store: ObjectStore, entry: PlanEntry): BatchRun {
  return { entry, tally: createRowTally(entry.nRows, entry), readPlan: shareWork(() => readPlan(store, entry)) };
}

type Counts = RowCounts & { readonly [key: string]: Json };

async function runShard(
  deps: BatchDeps,
  { project, operationId }: WorkflowContext,
  { run, shard }: { readonly run: BatchRun; readonly shard: number },
  { signal, report }: StepContext,
): Promise<Counts> {
  const { store, gates } = deps;
  const key = keys.batchShard(project, operationId, shardDigest(run.entry, shard));
  const made = await run.readPlan(signal);
  const onProgress = (counts: RowCounts) => {
    run.tally.set(shard, counts);
    report({ phase: "scoring", ...run.tally.progress() });
  };
  const onEngineMs = (ms: number) => run.tally.addEngineMs(ms);
  const scoring = { stages: deps, gates, signal, onEngineMs };
  const found = await readShard(store, key, { signal });
  const outcomes = found ?? (await scoreShard(deps, scoring, { plan: made, project, shard, onProgress }));
  if (found === undefined) await writeShard(store, key, outcomes, { signal });
  const counts = countOutcomes(outcomes);
  onProgress(counts);
  return { ...counts };
}

function countOutcomes(outcomes: ShardOutcomes): RowCounts {
  const failed = outcomes.filter((row) => row.some((outcome) => outcome !== null && "code" in outcome)).length;
  return { scored: outcomes.length - failed, failed };
}

async function publish(
  { store }: BatchDeps,
  { project, operationId }: WorkflowContext,
  { run, request }: { readonly run: BatchRun; readonly request: gatewayV1.BatchPredictRequest },
  { signal, report }: StepContext,
): Promise<Json> {
  report({ phase: "writing the results", ...run.tally.progress() });
  const made = await run.readPlan(signal);
  const job = { project, operationId, plan: made, stored: run.entry, manifestUpload: request.manifestUpload };
  return gatewayV1.BatchPredictResponse.toJSON(await publishBatch(store, job, { signal })) as Json;
}
