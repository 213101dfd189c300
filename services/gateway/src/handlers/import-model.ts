import { gatewayV1, type googleLongrunning, parseResourceName, resourceName } from "@parfocal/protocol";
import type { GatewayDeps } from "../deps.ts";
import type { SourceRoots } from "../imports/source-roots.ts";
import { startOperation } from "./start-operation.ts";

/** `ImportModel`: checks the name and that the URI may be read, then starts the workflow. */
export function createImportModel({ operations }: Pick<GatewayDeps, "operations">, roots: SourceRoots) {
  return async (request: gatewayV1.ImportModelRequest): Promise<googleLongrunning.Operation> => {
    const { project } = parseResourceName("project", request.parent, "parent");
    resourceName("model", { project, model: request.modelId });
    roots.resolve(request.uri);
    const { requestId } = request;
    return startOperation(operations, "import-model", project, requestId, gatewayV1.ImportModelRequest.toJSON(request));
  };
}
