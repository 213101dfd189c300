import { DomainError, isDomainError, mapBounded } from "@parfocal/errors";
import { commonV1, gatewayV1, parseResourceName } from "@parfocal/protocol";
import { openStore } from "@parfocal/store";
import type { Json } from "@parfocal/workflows";
import type { BagEntry } from "../catalog/bag-catalog.ts";
import { keys } from "../catalog/keys.ts";
import { parseModelName } from "../catalog/model-name.ts";
import type { GatewayDeps } from "../deps.ts";
import type { SourceRoots } from "../imports/source-roots.ts";
import { type BatchModel, type BatchPlan, findPlan, shardDigest, shardsOf } from "./batch-plan.ts";
import { assertOneTask, edgesOfConfig } from "./ensemble-models.ts";
import { readManifest } from "./read-manifest.ts";
import { resolveRows } from "./resolve-rows.ts";
import type { ShardOutcomes } from "./score-shard.ts";
import { readShard } from "./shard-object.ts";

/** What planning works with. */
export interface PlanningDeps extends Pick<GatewayDeps, "store" | "bags" | "models"> {
  readonly roots: SourceRoots;
  /** Rows of a shard at most. */
  readonly shardRows: number;
}

/** Objects read at a time. */
const CONCURRENT_READS = 16;

/** Re-embedders that look at several magnifications. */
const REGIONAL: ReadonlySet<string> = new Set(["region-mixer", "levels"]);

/**
 * Plans a batch: what each model name means now, which bag each row means, and which rows go together.
 *
 * @throws {DomainError} as `readManifest`; `NOT_FOUND` and `PRECONDITION_FAILED` for models; what the store throws.
 */
export async function planBatch(
  deps: PlanningDeps,
  project: string,
  request: gatewayV1.BatchPredictRequest,
  signal: AbortSignal,
): Promise<BatchPlan> {
  if (request.retryOf !== "") return planRetry(deps, project, request, signal);
  const models = await Promise.all(request.models.map((name, at) => resolveModel(deps, name, `models[${at}]`, signal)));
  if (request.ensemble) assertTogether(models);
  const named = await readNamedRows(deps, request, signal);
  const { bags } = deps;
  const lookup = { bags, project, isSuitable: suits(models), signal };
  const rows = await resolveRows(
    lookup,
    named.map((row) => ({ ...row, slide: "" })),
  );
  const rule = RULES[request.patientRule] ?? "mean";
  const plan = { models, rule, isTransient: request.transient, ...ensembleOf(request.ensemble), rows } as const;
  return { ...plan, tellsSeen: true, shards: shardsOf(plan, deps.shardRows) };
}

/** Checks that the models of a batch can speak together. @throws {DomainError} as `assertOneTask`. */
export function assertTogether(models: readonly BatchModel[]): void {
  assertOneTask(
    models.map(({ task, edges }, at) => ({
      field: `models[${at}]`,
      task: commonV1.Task.fromJSON(task),
      ...(edges && { edges }),
    })),
  );
}

/**
 * Checks that an earlier batch can be tried again as it is asked for.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a patient rule or transience that the batch does not have; as `assertOneTask` for an ensemble;
 * `PRECONDITION_FAILED` when it has no plan.
 */
export async function assertRetriable(
  deps: Pick<PlanningDeps, "store">,
  project: string,
  { retryOf, ensemble, patientRule, transient }: gatewayV1.BatchPredictRequest,
  signal: AbortSignal,
): Promise<void> {
  const { operation } = parseResourceName("operation", retryOf, "retry_of");
  const { plan } = await findEarlier(deps, project, operation, signal);
  const rule = RULES[patientRule];
  if (rule !== undefined && rule !== plan.rule) throw otherThanEarlier("patient_rule", rule, plan.rule);
  if (transient && !plan.isTransient) throw otherThanEarlier("transient", "true", "false");
  if (ensemble) assertTogether(plan.models);
}

const RULES: Readonly<Partial<Record<gatewayV1.BatchPredictRequest_PatientRule, BatchPlan["rule"]>>> = {
  [gatewayV1.BatchPredictRequest_PatientRule.PATIENT_RULE_MEAN]: "mean",
  [gatewayV1.BatchPredictRequest_PatientRule.PATIENT_RULE_MAX]: "max",
};

function otherThanEarlier(field: string, value: string, earlier: string): DomainError {
  const message = `${field} is ${value}; the batch of retry_of has ${earlier}, and goes on as it began`;
  return new DomainError("INVALID_ARGUMENT", message, { details: { field } });
}

/** Absent where there is none, so that plans without are what they were. */
function ensembleOf(isEnsemble: boolean): Pick<BatchPlan, "isEnsemble"> {
  return isEnsemble ? { isEnsemble } : {};
}

/** The plan of an earlier batch again, with what it found out kept and the rest to do; with its ensemble, or one from now on. */
async function planRetry(
  { store, bags, shardRows }: PlanningDeps,
  project: string,
  { retryOf, ensemble }: gatewayV1.BatchPredictRequest,
  signal: AbortSignal,
): Promise<BatchPlan> {
  const { operation } = parseResourceName("operation", retryOf, "retry_of");
  const { plan, stored } = await findEarlier({ store }, project, operation, signal);
  if (ensemble) assertTogether(plan.models);
  const found = await mapBounded([...plan.shards.keys()], CONCURRENT_READS, (shard) =>
    readShard(store, keys.batchShard(project, operation, shardDigest(stored, shard)), { signal }),
  );
  const kept = keptOutcomes(plan, found);
  const lookup = { bags, project, isSuitable: suits(plan.models), signal };
  const again = plan.rows.map(({ failure: _, ...row }, index) => ({ ...row, kept: kept[index]! }));
  const rows = await resolveRows(lookup, again);
  return { ...plan, ...ensembleOf(ensemble), rows, shards: shardsOf({ ...plan, rows }, shardRows) };
}

async function findEarlier(
  { store }: Pick<PlanningDeps, "store">,
  project: string,
  operation: string,
  signal: AbortSignal,
) {
  try {
    return await findPlan(store, keys.batchPlan(project, operation), { signal });
  } catch (error) {
    if (!isDomainError(error, "NOT_FOUND")) throw error;
    const message = "the batch of retry_of ended before it had read its manifest; start it anew";
    throw new DomainError("PRECONDITION_FAILED", message, { details: { field: "retry_of" } });
  }
}

/** By row and model the prediction that an earlier batch has; `null` for failures and what it did not come to. */
function keptOutcomes(plan: BatchPlan, shards: readonly (ShardOutcomes | undefined)[]) {
  const kept = plan.rows.map((row) => plan.models.map((_, model) => row.kept?.[model] ?? null));
  for (const [shard, outcomes] of shards.entries()) {
    for (const [place, index] of (plan.shards[shard] ?? []).entries()) {
      for (const [model, outcome] of (outcomes?.[place] ?? []).entries()) {
        if (outcome !== null && !("code" in outcome)) kept[index]![model] = outcome;
      }
    }
  }
  return kept;
}

/** What a model's name means. @throws {DomainError} `NOT_FOUND`; `PRECONDITION_FAILED` for one that decides nothing. */
export async function resolveModel(
  { models }: Pick<GatewayDeps, "models">,
  name: string,
  field: string,
  signal: AbortSignal,
): Promise<BatchModel> {
  const { project, model, selector } = parseModelName(name, field);
  const entry = await models.get(project, model, selector, { signal });
  if (entry.head === "" || entry.task === undefined || entry.reference === undefined) {
    const message = `${field} is a re-embedder without a head: it decides nothing; train one that starts from it`;
    throw new DomainError("PRECONDITION_FAILED", message, {
      details: { field, precondition: "HEAD", subject: field },
    });
  }
  return {
    name: entry.name,
    reference: commonV1.ModelReference.toJSON(entry.reference) as Json,
    reembedder: entry.reembedder,
    task: commonV1.Task.toJSON(entry.task) as Json,
    featureDim: entry.featureDim,
    ...edgesOfConfig(entry.configJson),
  };
}

/** Whether one of the models can take a bag, by what the catalog knows of both. */
function suits(models: readonly BatchModel[]): (entry: BagEntry) => boolean {
  return ({ ref, metadata }) =>
    models.some(
      ({ featureDim, reembedder }) =>
        featureDim === ref.d && REGIONAL.has(reembedder) === (metadata.levelCount !== undefined),
    );
}

async function readNamedRows(
  { store, roots }: PlanningDeps,
  request: gatewayV1.BatchPredictRequest,
  signal: AbortSignal,
) {
  if (request.manifestUpload !== "") {
    const { project, upload } = parseResourceName("upload", request.manifestUpload, "manifest_upload");
    const { chunks } = await store.getStream(keys.upload(project, upload), { signal });
    return readManifest(chunks);
  }
  const { store: address, key } = roots.resolve(request.manifestUri);
  const outside = openStore(address.uri, address.options);
  try {
    return await readManifest((await outside.getStream(key, { signal })).chunks);
  } finally {
    outside.close();
  }
}
