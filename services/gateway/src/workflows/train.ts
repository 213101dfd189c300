import { mapBounded } from "@parfocal/errors";
import { aggregateV1, commonV1, gatewayV1 } from "@parfocal/protocol";
import { uriFromKey } from "@parfocal/store";
import type { Json, Progress, StepContext, Workflow, WorkflowContext } from "@parfocal/workflows";
import { keys } from "../catalog/keys.ts";
import type { GatewayDeps } from "../deps.ts";
import { enterModel } from "./enter-model.ts";
import { MAX_STAGE_ATTEMPTS } from "./stage-steps.ts";
import { followTraining, resolveLabelled, resolveStart } from "./training-request.ts";

type Deps = Pick<GatewayDeps, "store" | "bags" | "models" | "aggregate">;

/** Catalog entries read at a time. */
const CONCURRENT_READS = 32;

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
