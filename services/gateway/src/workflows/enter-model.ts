import { type aggregateV1, type commonV1, gatewayV1, resourceName, timestampFromMs } from "@parfocal/protocol";
import type { Json, WorkflowContext } from "@parfocal/workflows";
import type { GatewayDeps } from "../deps.ts";

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
