import { DomainError } from "@parfocal/errors";
import { gatewayV1, type googleLongrunning, parseResourceName } from "@parfocal/protocol";
import type { GatewayDeps } from "../deps.ts";
import type { SourceRoots } from "../imports/source-roots.ts";
import { requestJson } from "./request-json.ts";
import { startOperation } from "./start-operation.ts";

const MAX_URIS = 10_000;

/** `ImportBags`: checks that every URI may be read, then starts the workflow. */
export function createImportBags({ operations }: Pick<GatewayDeps, "operations">, roots: SourceRoots) {
  return async (request: gatewayV1.ImportBagsRequest): Promise<googleLongrunning.Operation> => {
    const { project } = parseResourceName("project", request.parent, "parent");
    if (request.uris.length < 1 || request.uris.length > MAX_URIS) {
      throw new DomainError("INVALID_ARGUMENT", `uris has ${request.uris.length} entries; it is 1 to ${MAX_URIS}`, {
        details: { field: "uris" },
      });
    }
    const { requestId } = request;
    const json = requestJson(gatewayV1.ImportBagsRequest, request);
    return startOperation(operations, { kind: "import", project, requestId, json }, async () => {
      for (const uri of request.uris) roots.resolve(uri);
    });
  };
}
