import { DomainError } from "@parfocal/errors";
import { gatewayV1, parseResourceName } from "@parfocal/protocol";
import type { ObjectStore } from "@parfocal/store";
import type { Json, StepContext, Workflow, WorkflowContext } from "@parfocal/workflows";
import {
  type BatchPlan,
  type CaseOutcome,
  modelsToAsk,
  readPlan,
  shardDigest,
  writePlan,
} from "../batch/batch-plan.ts";
import {
  type BatchOutcomes,
  failuresTable,
  NOT_SCORED,
  patientsOf,
  patientsTable,
  predictionsTable,
} from "../batch/batch-tables.ts";
import type { Gate } from "../batch/gate.ts";
import { type PlanningDeps, planBatch } from "../batch/plan-batch.ts";
import { writeResultTable } from "../batch/result-tables.ts";
import { createRowTally, type RowCounts, type RowTally } from "../batch/row-tally.ts";
import { type ShardOutcomes, scoreShard } from "../batch/score-shard.ts";
import { readShard, writeShard } from "../batch/shard-object.ts";
import { keys } from "../catalog/keys.ts";
import { mapBounded } from "../catalog/pages.ts";
import type { GatewayDeps } from "../deps.ts";
import { MAX_STAGE_ATTEMPTS } from "./train.ts";

/** What batches work with. */
export interface BatchDeps extends PlanningDeps, Pick<GatewayDeps, "aggregate" | "reembed"> {
  /** Calls of each stage at a time, over all batches. */
  readonly gates: { readonly aggregate: Gate; readonly reembed: Gate };
  /** Shards of one batch under way at a time. */
  readonly concurrentShards: number;
}

/** Objects read at a time. */
const CONCURRENT_READS = 16;

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
    const run = createRun(deps.store, context, entry);
    const shards = Array.from({ length: entry.nShards }, (_, shard) => shard);
    await mapBounded(shards, deps.concurrentShards, async (shard) => {
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

function createRun(store: ObjectStore, _context: WorkflowContext, entry: PlanEntry): BatchRun {
  let reading: Promise<BatchPlan> | undefined;
  return {
    entry,
    tally: createRowTally(entry.nRows, entry),
    async readPlan(signal) {
      reading ??= readPlan(store, entry, { signal });
      try {
        return await reading;
      } catch (error) {
        reading = undefined;
        throw error;
      }
    },
  };
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
  const shards = await mapBounded([...made.shards.keys()], CONCURRENT_READS, async (shard) => {
    const key = keys.batchShard(project, operationId, shardDigest(run.entry, shard));
    const found = await readShard(store, key, { signal });
    if (found === undefined) throw new DomainError("CORRUPT", "the store lost what came of a finished shard");
    return found;
  });
  const outcomes = joinOutcomes(made, shards);
  const folder = keys.resultFolder(project, operationId);
  const write = (name: string, table: Parameters<typeof writeResultTable>[2]["table"]) =>
    writeResultTable(store, folder, { name, table }, { signal });
  const tables = [
    await write("predictions", predictionsTable(made, project, outcomes)),
    await write("patients", patientsTable(made, outcomes)),
    await write("failures", failuresTable(made, project, outcomes)),
  ];
  if (request.manifestUpload !== "") {
    const { upload } = parseResourceName("upload", request.manifestUpload, "manifest_upload");
    await store.delete(keys.upload(project, upload), { signal });
  }
  return gatewayV1.BatchPredictResponse.toJSON(responseOf(made, outcomes, tables)) as Json;
}

/** What came of every row and model: kept from an earlier batch, of a shard, or why the row means no bag. */
function joinOutcomes(made: BatchPlan, shards: readonly ShardOutcomes[]): BatchOutcomes {
  const found = new Map<number, ShardOutcomes[number]>();
  for (const [shard, outcomes] of shards.entries()) {
    for (const [place, index] of (made.shards[shard] ?? []).entries()) found.set(index, outcomes[place] ?? []);
  }
  return made.rows.map((row, index) => {
    const asked = modelsToAsk(made, row);
    return made.models.map((_, model): CaseOutcome => {
      if (row.failure !== undefined) return row.failure;
      const outcome = asked.includes(model) ? found.get(index)?.[model] : row.kept?.[model];
      return outcome ?? NOT_SCORED;
    });
  });
}

function responseOf(
  made: BatchPlan,
  outcomes: BatchOutcomes,
  tables: gatewayV1.ResultTable[],
): gatewayV1.BatchPredictResponse {
  const nFailed = outcomes.filter((row) => row.some((outcome) => "code" in outcome)).length;
  return {
    rowCount: BigInt(outcomes.length),
    scoredCount: BigInt(outcomes.length - nFailed),
    failedCount: BigInt(nFailed),
    patientCount: BigInt(patientsOf(made).length),
    models: made.models.map(({ name }) => name),
    tables,
  };
}
