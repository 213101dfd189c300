import { DomainError } from "@parfocal/errors";
import { type gatewayV1, parseResourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { keys } from "../catalog/keys.ts";
import type { GatewayDeps } from "../deps.ts";
import { messageChunks } from "../message-chunks.ts";

/** Files lie in one folder; what could leave it is no name of any. */
const FILE_NAME = /^[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9_-]+)*$/i;

/** `DownloadResult`: streams a file that an operation left, in pieces. */
export function createDownloadResult({ store }: Pick<GatewayDeps, "store">) {
  return async function* (
    { name, file }: gatewayV1.DownloadResultRequest,
    { signal }: HandlerContext,
  ): AsyncIterable<gatewayV1.DownloadResultResponse> {
    const { project, operation } = parseResourceName("operation", name);
    if (!FILE_NAME.test(file) || file.length > 128) {
      const message = `file of ${file.length} characters is no name of a file`;
      throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "file" } });
    }
    const { chunks } = await store.getStream(`${keys.resultFolder(project, operation)}/${file}`, { signal });
    for await (const chunk of messageChunks(chunks)) yield { chunk };
  };
}
