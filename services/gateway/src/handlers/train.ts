import { DomainError } from "@parfocal/errors";
import { gatewayV1, type googleLongrunning, parseResourceName, resourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { mapBounded } from "../catalog/pages.ts";
import type { GatewayDeps } from "../deps.ts";
import { startOperation } from "./start-operation.ts";

const MAX_BAGS = 100_000;
const CONCURRENT_READS = 32;

/** `Train`: refuses at once what could not work later, then starts the workflow. */
export function createTrain({ bags, operations }: Pick<GatewayDeps, "bags" | "operations">) {
  return async (request: gatewayV1.TrainRequest, { signal }: HandlerContext): Promise<googleLongrunning.Operation> => {
    const { project } = parseResourceName("project", request.parent, "parent");
    resourceName("model", { project, model: request.modelId });
    if (request.spec === undefined) {
      throw new DomainError("INVALID_ARGUMENT", "spec is missing", { details: { field: "spec" } });
    }
    if (request.bags.length < 2 || request.bags.length > MAX_BAGS) {
      throw new DomainError("INVALID_ARGUMENT", `bags has ${request.bags.length} entries; it is 2 to ${MAX_BAGS}`, {
        details: { field: "bags" },
      });
    }
    await mapBounded(request.bags, CONCURRENT_READS, async ({ bag }, index) => {
      const field = `bags[${index}].bag`;
      const name = parseResourceName("bag", bag, field);
      if (name.project !== project) throw new DomainError("FORBIDDEN", `${field} belongs to another project`);
      await bags.get(project, name.bag, { signal });
    });
    return startOperation(operations, "train", project, request.requestId, gatewayV1.TrainRequest.toJSON(request));
  };
}
