import { DomainError } from "@parfocal/errors";
import { type commonV1, gatewayV1, type googleLongrunning, parseResourceName, resourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { ModelCatalog } from "../catalog/model-catalog.ts";
import { parseModelName } from "../catalog/model-name.ts";
import type { GatewayDeps } from "../deps.ts";
import { assertLength, entriesOfNamed } from "./named-bags.ts";
import { requestJson } from "./request-json.ts";
import { startOperation } from "./start-operation.ts";

const MAX_BAGS = 100_000;

/** `Train`: refuses at once what could not work later, then starts the workflow. */
export function createTrain({ bags, models, operations }: Pick<GatewayDeps, "bags" | "models" | "operations">) {
  return async (request: gatewayV1.TrainRequest, { signal }: HandlerContext): Promise<googleLongrunning.Operation> => {
    const { project } = parseResourceName("project", request.parent, "parent");
    resourceName("model", { project, model: request.modelId });
    const { spec, requestId, startFrom } = request;
    if (spec === undefined) {
      throw new DomainError("INVALID_ARGUMENT", "spec is missing", { details: { field: "spec" } });
    }
    assertLength("bags", request.bags, 2, MAX_BAGS);
    const named = request.bags.map(({ bag }, index) => ({ name: bag, field: `bags[${index}].bag` }));
    const json = requestJson(gatewayV1.TrainRequest, request);
    return startOperation(operations, { kind: "train", project, requestId, json }, async () => {
      await entriesOfNamed(bags, project, named, signal);
      if (startFrom !== "") await assertStart(models, project, startFrom, spec, signal);
    });
  };
}

/** A training starts from the re-embedder of a model, so both need one; whether they are equal is for the stage to see. */
export async function assertStart(
  models: Pick<ModelCatalog, "get">,
  project: string,
  name: string,
  { architecture }: commonV1.TrainingSpec,
  signal: AbortSignal,
): Promise<void> {
  const details = { field: "start_from" };
  const named = parseModelName(name, "start_from");
  if (named.project !== project) {
    throw new DomainError("FORBIDDEN", "start_from belongs to another project", { details });
  }
  if (architecture?.reembedder === undefined) {
    const message = "start_from is given; spec.architecture.reembedder, which would start from it, is not";
    throw new DomainError("INVALID_ARGUMENT", message, { details });
  }
  const { reembedder } = await models.get(project, named.model, named.selector, { signal });
  if (reembedder !== "") return;
  throw new DomainError("PRECONDITION_FAILED", "start_from has no re-embedder that training could start from", {
    details: { ...details, precondition: "REEMBEDDER", subject: "start_from" },
  });
}
