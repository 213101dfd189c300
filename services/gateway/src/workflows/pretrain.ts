import { DomainError, mapBounded } from "@parfocal/errors";
import { type commonV1, gatewayV1, parseResourceName, pretrainV1 } from "@parfocal/protocol";
import { uriFromKey } from "@parfocal/store";
import type { Json, Progress, StepContext, Workflow, WorkflowContext } from "@parfocal/workflows";
import { keys } from "../catalog/keys.ts";
import { patientKeyOf } from "../catalog/patient-key.ts";
import type { GatewayDeps } from "../deps.ts";
import { bagReferenceFromRef } from "../wire.ts";
import { enterEntry } from "./enter-model.ts";
import { MAX_STAGE_ATTEMPTS } from "./stage-steps.ts";

type Deps = Pick<GatewayDeps, "store" | "bags" | "models" | "pretrain">;

/** Catalog entries read at a time. */
const CONCURRENT_READS = 32;

/** What the catalog calls the re-embedder of a pretrained mixer. */
const REEMBEDDER = "region-mixer";

/**
 * Pretrains on the stage and enters the published mixer into the catalog, as a model without task and head. The version is
 * named after the operation, so a second run of either step finds what the first one left.
 */
export function createPretrainWorkflow(deps: Deps): Workflow<Json, Json> {
  return async (context, input) => {
    const request = gatewayV1.PretrainRequest.fromJSON(input);
    const published = await context.step("pretrain", (step) => pretrainOnStage(deps, context, request, step), {
      maxAttempts: MAX_STAGE_ATTEMPTS,
    });
    const enter = () => {
      const { model, history, ...same } = pretrainV1.PublishedMixer.fromJSON(published);
      const known = { ...same, reference: model, reembedder: REEMBEDDER, pretraining: history };
      return enterEntry(deps, context, request.modelId, known);
    };
    return context.step("publish", enter, { maxAttempts: MAX_STAGE_ATTEMPTS });
  };
}

/** Resolves the bags and follows the stage's stream to its last event. */
async function pretrainOnStage(
  deps: Deps,
  { project, operationId }: WorkflowContext,
  request: gatewayV1.PretrainRequest,
  step: StepContext,
): Promise<Json> {
  step.report({ phase: "resolving bags", fraction: 0 });
  const { store } = deps;
  const bags = await mapBounded(request.bags, CONCURRENT_READS, (name) => resolve(deps, project, name, step.signal));
  const stageRequest: pretrainV1.PretrainRequest = {
    ...{ bags, spec: request.spec, seed: request.seed },
    regionsUri: uriFromKey(store, keys.regionCache),
    packageUri: uriFromKey(store, keys.packageFolder(project, request.modelId, operationId)),
    checkpointUri: uriFromKey(store, keys.checkpointFolder(project, operationId)),
  };
  step.report({ phase: "looking for regions", fraction: 0 });
  let found: pretrainV1.RegionsEvent | undefined;
  for await (const { event } of deps.pretrain.pretrain(stageRequest, { signal: step.signal })) {
    if (event?.$case === "published") return pretrainV1.PublishedMixer.toJSON(event.value) as Json;
    if (event?.$case === "regions") found = event.value;
    if (event?.$case === "report") step.report(progressFromReport(event.value, found));
  }
  throw new DomainError("UNREACHABLE", "the stage ended the pretraining before it was published");
}

async function resolve(
  { store, bags }: Deps,
  project: string,
  name: string,
  signal: AbortSignal,
): Promise<pretrainV1.RegionBag> {
  const { ref, metadata } = await bags.get(project, parseResourceName("bag", name, "bags").bag, { signal });
  return { bag: bagReferenceFromRef(store, ref), patientKey: patientKeyOf(metadata) };
}

/** What watchers see of a report. A magnification without removed tiles has no loss then. */
function progressFromReport(report: commonV1.PretrainReport, found: pretrainV1.RegionsEvent | undefined): Progress {
  const optional: readonly (readonly [string, number | undefined])[] = [
    ...report.levels.map(({ level, loss }) => [`loss_level_${level}`, loss] as const),
    ["contrastive_loss", report.contrastiveLoss],
    ["validation_loss", report.validationLoss],
    ["train_regions", found && Number(found.trainCount)],
    ["validation_regions", found && Number(found.validationCount)],
  ];
  const known = optional.filter((entry): entry is readonly [string, number] => entry[1] !== undefined);
  const [done, total] = [Number(report.update), Number(report.updateCount)];
  return {
    phase: `update ${done} of ${total}`,
    fraction: total === 0 ? 0 : done / total,
    etaS: report.etaS,
    counters: {
      ...{ update: done, regions: Number(report.regionsSeen) },
      ...{ train_loss: report.loss, learning_rate: report.learningRate },
      ...{ regions_per_s: report.regionsPerS, loader_wait: report.loaderWait },
      ...Object.fromEntries(known),
    },
  };
}
