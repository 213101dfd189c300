import { DomainError } from "@parfocal/errors";
import { type aggregateV1, commonV1, type gatewayV1, parseResourceName } from "@parfocal/protocol";
import type { Json, StepContext } from "@parfocal/workflows";
import { parseModelName } from "../catalog/model-name.ts";
import { patientKeyOf } from "../catalog/patient-key.ts";
import type { GatewayDeps } from "../deps.ts";
import { bagReferenceFromRef } from "../wire.ts";

type Deps = Pick<GatewayDeps, "store" | "bags" | "models" | "aggregate">;

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

/** A labelled bag as the stage takes it, its patient as {@link patientKeyOf} has it. */
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
    patientKey: patientKeyOf(entry.metadata, labelled),
    part: labelled.part,
    groupKey: labelled.groupId,
    values: labelled.values,
    survival: labelled.survival,
  };
}
