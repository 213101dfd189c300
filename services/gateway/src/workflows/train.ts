import { DomainError, mapBounded } from "@parfocal/errors";
import { aggregateV1, commonV1, gatewayV1, parseResourceName, resourceName, timestampFromMs } from "@parfocal/protocol";
import { uriFromKey } from "@parfocal/store";
import type { Json, Progress, StepContext, Workflow, WorkflowContext } from "@parfocal/workflows";
import { keys } from "../catalog/keys.ts";
import type { GatewayDeps } from "../deps.ts";
import { parseModelName } from "../handlers/predict.ts";
import { bagReferenceFromRef } from "../wire.ts";

type Deps = Pick<GatewayDeps, "store" | "bags" | "models" | "aggregate">;

/** Catalog entries read at a time. */
const CONCURRENT_READS = 32;

/**
 * Tries of a step that follows a stage for long, and of one that enters into the catalog what took long. With pauses that double up to 30 s they outlast a rolling update of the stage (about two
 * minutes); what the stage does goes on from its last checkpoint.
 */
export const MAX_STAGE_ATTEMPTS = 10;

/**
 * Trains on the aggregation stage and enters the published version into the catalog. The version is named after the
 * operation, so a second run of either step finds what the first one left.
 */
export function createTrainWorkflow(deps: Deps): Workflow<Json, Json> {
  return async (context, input) => {
    const request = gatewayV1.TrainRequest.fromJSON(input);
    // An alias may move while the training runs: what it meant at first stays.
    const start =
      request.startFrom === "" ? null : await context.step("start", (step) => resolveStart(deps, request, step));
    const published = await context.step("train", (step) => trainOnStage(deps, context, request, start, step), {
      maxAttempts: MAX_STAGE_ATTEMPTS,
    });
    const { modelId, spec } = request;
    const enter = () =>
      enterModel(deps, context, { modelId, task: spec?.task }, aggregateV1.PublishedEvent.fromJSON(published));
    return context.step("publish", enter, { maxAttempts: MAX_STAGE_ATTEMPTS });
  };
}

/** Resolves the bags and follows the stage's stream to its last event. */
async function trainOnStage(
  deps: Deps,
  { project, operationId }: WorkflowContext,
  request: gatewayV1.TrainRequest,
  start: Json,
  step: StepContext,
): Promise<Json> {
  step.report({ phase: "resolving bags", fraction: 0 });
  const bags = await mapBounded(request.bags, CONCURRENT_READS, (labelled) =>
    resolveLabelled(deps, project, labelled, step.signal),
  );
  const stageRequest: aggregateV1.TrainRequest = {
    bags,
    spec: request.spec,
    packageUri: uriFromKey(deps.store, keys.packageFolder(project, request.modelId, operationId)),
    checkpointUri: uriFromKey(deps.store, keys.checkpointFolder(project, operationId)),
    startFrom: start === null ? undefined : commonV1.ModelReference.fromJSON(start),
  };
  const onEpoch = (report: commonV1.EpochReport) => step.report(progressFromEpoch(report));
  const published = await followTraining(deps, stageRequest, onEpoch, step.signal);
  return aggregateV1.PublishedEvent.toJSON(published) as Json;
}

/** Follows the stage's stream to its last event. @throws {DomainError} what the stage throws; `UNREACHABLE` when it ends early. */
export async function followTraining(
  { aggregate }: Pick<Deps, "aggregate">,
  request: aggregateV1.TrainRequest,
  onEpoch: (report: commonV1.EpochReport) => void,
  signal: AbortSignal,
): Promise<aggregateV1.PublishedEvent> {
  for await (const { event } of aggregate.train(request, { signal })) {
    if (event?.$case === "published") return event.value;
    if (event?.$case === "epoch") onEpoch(event.value);
  }
  throw new DomainError("UNREACHABLE", "the aggregation stage ended the training before it was published");
}

/** The package of the model that a training starts from. */
export async function resolveStart(
  { models }: Pick<Deps, "models">,
  { startFrom }: Pick<gatewayV1.TrainRequest, "startFrom">,
  { signal }: Pick<StepContext, "signal">,
): Promise<Json> {
  const { project, model, selector } = parseModelName(startFrom, "start_from");
  const { reference } = await models.get(project, model, selector, { signal });
  if (reference === undefined) throw new DomainError("CORRUPT", "the catalog's entry of start_from names no package");
  return commonV1.ModelReference.toJSON(reference) as Json;
}

/** A labelled bag as the stage takes it, its patient that of the bag where the request names none. */
export async function resolveLabelled(
  { store, bags }: Pick<Deps, "store" | "bags">,
  project: string,
  labelled: gatewayV1.LabelledBag,
  signal: AbortSignal,
): Promise<aggregateV1.LabelledBag> {
  const entry = await bags.get(project, parseResourceName("bag", labelled.bag, "bags.bag").bag, { signal });
  return {
    bag: bagReferenceFromRef(store, entry.ref),
    labels: labelled.labels,
    unknownLabels: labelled.unknownLabels,
    patientKey: labelled.patientId === "" ? (entry.metadata.patientId ?? "") : labelled.patientId,
    part: labelled.part,
    groupKey: labelled.groupId,
    values: labelled.values,
    survival: labelled.survival,
  };
}

/** What watchers see of an epoch. */
function progressFromEpoch(report: commonV1.EpochReport): Progress {
  const optional = {
    validation_loss: report.validationLoss,
    validation_auroc: report.validationAuroc,
    ...(report.scoreName !== "" && { [`validation_${report.scoreName}`]: report.validationScore }),
  };
  const known = Object.entries(optional).filter((entry): entry is [string, number] => entry[1] !== undefined);
  return {
    phase: `epoch ${report.epoch} of ${report.epochCount}`,
    fraction: report.epoch / report.epochCount,
    etaS: report.etaS,
    counters: {
      epoch: report.epoch,
      train_loss: report.trainLoss,
      learning_rate: report.learningRate,
      bags_per_s: report.bagsPerS,
      ...Object.fromEntries(known),
    },
  };
}

/** Enters a published package into the catalog, as the version that is named after the operation. */
export async function enterModel(
  deps: Pick<GatewayDeps, "models">,
  context: WorkflowContext,
  { modelId, task }: { readonly modelId: string; readonly task: commonV1.Task | undefined },
  { model, ...published }: aggregateV1.PublishedEvent,
): Promise<Json> {
  return enterEntry(deps, context, modelId, { ...published, reference: model, task });
}

/** Enters a model into the catalog, as the version that is named after the operation; absent fields are empty. */
export async function enterEntry(
  { models }: Pick<GatewayDeps, "models">,
  { project, operationId }: WorkflowContext,
  modelId: string,
  known: Partial<gatewayV1.Model>,
): Promise<Json> {
  const model = gatewayV1.Model.fromPartial({
    ...known,
    name: resourceName("modelVersion", { project, model: modelId, version: operationId }),
    createTime: timestampFromMs(Date.now()),
  });
  await models.publish(project, modelId, operationId, model);
  return { model: gatewayV1.Model.toJSON(model) as Json };
}
