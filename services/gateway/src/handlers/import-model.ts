import { DomainError } from "@parfocal/errors";
import { gatewayV1, type googleLongrunning, parseResourceName, resourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { keys } from "../catalog/keys.ts";
import type { GatewayDeps } from "../deps.ts";
import type { SourceRoots } from "../imports/source-roots.ts";
import { requestJson } from "./request-json.ts";
import { startOperation } from "./start-operation.ts";

/** `ImportModel`: checks the name and that the file may be read, then starts the workflow. */
export function createImportModel(
  { operations, store }: Pick<GatewayDeps, "operations" | "store">,
  roots: SourceRoots,
) {
  return async (
    request: gatewayV1.ImportModelRequest,
    { signal }: HandlerContext,
  ): Promise<googleLongrunning.Operation> => {
    const { project } = parseResourceName("project", request.parent, "parent");
    resourceName("model", { project, model: request.modelId });
    const { requestId, uri, upload } = request;
    if ((uri === "") === (upload === "")) {
      const message = `${uri === "" ? "neither uri nor upload is" : "uri and upload are both"} given; a checkpoint is one`;
      throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "uri" } });
    }
    const json = requestJson(gatewayV1.ImportModelRequest, request);
    return startOperation(operations, { kind: "import-model", project, requestId, json }, async () => {
      if (uri !== "") roots.resolve(uri);
      else await store.head(uploadKey(project, upload), { signal });
    });
  };
}

/** Key of an upload of this project. @throws {DomainError} `INVALID_ARGUMENT`, `FORBIDDEN` for another project's. */
function uploadKey(project: string, name: string): string {
  const parsed = parseResourceName("upload", name, "upload");
  if (parsed.project === project) return keys.upload(project, parsed.upload);
  throw new DomainError("FORBIDDEN", "the upload is of another project", { details: { field: "upload" } });
}
