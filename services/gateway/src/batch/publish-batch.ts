import { setImmediate as nextTurn } from "node:timers/promises";
import { assertNotAborted, DomainError, mapBounded } from "@parfocal/errors";
import { type gatewayV1, parseResourceName } from "@parfocal/protocol";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import type { LazyTable } from "@parfocal/tables";
import { keys } from "../catalog/keys.ts";
import { type BatchPlan, type CaseOutcome, modelsToAsk, type StoredPlan, shardDigest } from "./batch-plan.ts";
import {
  failuresTable,
  NOT_SCORED,
  type OutcomesOf,
  patientsOf,
  patientsTable,
  predictionsTable,
} from "./batch-tables.ts";
import { isEnsembleRefused } from "./ensemble-outcomes.ts";
import { writeResultTable } from "./result-tables.ts";
import type { ShardOutcomes } from "./score-shard.ts";
import { readShard } from "./shard-object.ts";

/** Rows that are looked at in one turn of the event loop. */
const ROWS_PER_TURN = 100;

/** Objects read at a time. */
const CONCURRENT_READS = 16;

/** A batch whose shards are all there. */
interface FinishedBatch {
  readonly project: string;
  readonly operationId: string;
  readonly plan: BatchPlan;
  readonly stored: Pick<StoredPlan, "sha256">;
  /** Deleted when the results are there; empty: none. */
  readonly manifestUpload: string;
}

/**
 * Writes the tables of a batch, row by row as they are made: however many there are, others have their turn meanwhile. Doing it again
 * gives the same bytes.
 *
 * @throws {DomainError} `CORRUPT` when a shard is not there; the store's own codes.
 */
export async function publishBatch(
  store: ObjectStore,
  batch: FinishedBatch,
  options: CallOptions,
): Promise<gatewayV1.BatchPredictResponse> {
  const { project, operationId, plan, manifestUpload } = batch;
  const outcomesOf = joinOutcomes(plan, await readOutcomes(store, batch, options));
  const hasFailed = (outcomes: readonly CaseOutcome[]) => outcomes.some((outcome) => "code" in outcome);
  const failed = await findRows(plan, outcomesOf, hasFailed, options);
  const isRefused = (outcomes: readonly CaseOutcome[]) => hasFailed(outcomes) || isEnsembleRefused(plan, outcomes);
  const listed = plan.isEnsemble === true ? await findRows(plan, outcomesOf, isRefused, options) : failed;
  const patients = patientsOf(plan);
  const folder = keys.resultFolder(project, operationId);
  const write = (name: string, table: LazyTable) => writeResultTable(store, folder, { name, table }, options);
  const tables = [
    await write("predictions", predictionsTable(plan, project, outcomesOf)),
    await write("patients", patientsTable(plan, patients, outcomesOf)),
    await write("failures", failuresTable(plan, project, outcomesOf, listed)),
  ];
  if (manifestUpload !== "") {
    const { upload } = parseResourceName("upload", manifestUpload, "manifest_upload");
    await store.delete(keys.upload(project, upload), options);
  }
  return responseOf(plan, { nFailed: failed.length, nPatients: patients.length }, tables);
}

/** What shards found, by the places of their rows in the plan. */
type FoundOutcomes = readonly (ShardOutcomes[number] | undefined)[];

async function readOutcomes(
  store: ObjectStore,
  { project, operationId, plan, stored }: FinishedBatch,
  options: CallOptions,
): Promise<FoundOutcomes> {
  const found = new Array<ShardOutcomes[number] | undefined>(plan.rows.length).fill(undefined);
  await mapBounded(plan.shards, CONCURRENT_READS, async (indices, shard) => {
    const key = keys.batchShard(project, operationId, shardDigest(stored, shard));
    const outcomes = await readShard(store, key, options);
    if (outcomes === undefined) throw new DomainError("CORRUPT", "the store lost what came of a finished shard");
    for (const [place, index] of indices.entries()) found[index] = outcomes[place];
  });
  return found;
}

/** What came of every row and model: kept from an earlier batch, of a shard, or why the row means no bag. */
function joinOutcomes(plan: BatchPlan, found: FoundOutcomes): OutcomesOf {
  return (index) => {
    const row = plan.rows[index]!;
    const asked = modelsToAsk(plan, row);
    return plan.models.map((_, model): CaseOutcome => {
      if (row.failure !== undefined) return row.failure;
      const outcome = asked.includes(model) ? found[index]?.[model] : row.kept?.[model];
      return outcome ?? NOT_SCORED;
    });
  };
}

/** The places of rows whose outcomes are such. */
async function findRows(
  { rows }: BatchPlan,
  outcomesOf: OutcomesOf,
  isSuch: (outcomes: readonly CaseOutcome[]) => boolean,
  { signal }: CallOptions,
): Promise<number[]> {
  const found: number[] = [];
  for (const index of rows.keys()) {
    if (isSuch(outcomesOf(index))) found.push(index);
    if (index % ROWS_PER_TURN !== 0) continue;
    await nextTurn();
    assertNotAborted(signal);
  }
  return found;
}

function responseOf(
  { rows, models }: BatchPlan,
  { nFailed, nPatients }: { readonly nFailed: number; readonly nPatients: number },
  tables: gatewayV1.ResultTable[],
): gatewayV1.BatchPredictResponse {
  return {
    rowCount: BigInt(rows.length),
    scoredCount: BigInt(rows.length - nFailed),
    failedCount: BigInt(nFailed),
    patientCount: BigInt(nPatients),
    models: models.map(({ name }) => name),
    tables,
  };
}
