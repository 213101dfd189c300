import { DomainError, mapBounded } from "@parfocal/errors";
import { type gatewayV1, parseResourceName } from "@parfocal/protocol";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import type { Table } from "@parfocal/tables";
import { keys } from "../catalog/keys.ts";
import { type BatchPlan, type CaseOutcome, modelsToAsk, type StoredPlan, shardDigest } from "./batch-plan.ts";
import {
  type BatchOutcomes,
  failuresTable,
  NOT_SCORED,
  patientsOf,
  patientsTable,
  predictionsTable,
} from "./batch-tables.ts";
import { writeResultTable } from "./result-tables.ts";
import type { ShardOutcomes } from "./score-shard.ts";
import { readShard } from "./shard-object.ts";

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
 * Writes the tables of a batch. Doing it again gives the same bytes.
 *
 * @throws {DomainError} `CORRUPT` when a shard is not there; the store's own codes.
 */
export async function publishBatch(
  store: ObjectStore,
  { project, operationId, plan, stored, manifestUpload }: FinishedBatch,
  options: CallOptions,
): Promise<gatewayV1.BatchPredictResponse> {
  const shards = await mapBounded([...plan.shards.keys()], CONCURRENT_READS, async (shard) => {
    const found = await readShard(store, keys.batchShard(project, operationId, shardDigest(stored, shard)), options);
    if (found === undefined) throw new DomainError("CORRUPT", "the store lost what came of a finished shard");
    return found;
  });
  const outcomes = joinOutcomes(plan, shards);
  const folder = keys.resultFolder(project, operationId);
  const write = (name: string, table: Table) => writeResultTable(store, folder, { name, table }, options);
  const tables = [
    await write("predictions", predictionsTable(plan, project, outcomes)),
    await write("patients", patientsTable(plan, outcomes)),
    await write("failures", failuresTable(plan, project, outcomes)),
  ];
  if (manifestUpload !== "") {
    const { upload } = parseResourceName("upload", manifestUpload, "manifest_upload");
    await store.delete(keys.upload(project, upload), options);
  }
  return responseOf(plan, outcomes, tables);
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
