import { randomUUID } from "node:crypto";
import { type gatewayV1, parseResourceName, resourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { keys } from "../catalog/keys.ts";
import type { GatewayDeps } from "../deps.ts";
import { startUpload } from "../imports/upload-pieces.ts";
import { MAX_CHECKPOINT_BYTES } from "../workflows/import-model.ts";

/** `UploadCheckpoint`: streams the file into the store, under a name that the import takes. Nothing of it is read here. */
export function createUploadCheckpoint({ store }: Pick<GatewayDeps, "store">) {
  return async (
    pieces: AsyncIterable<gatewayV1.UploadCheckpointRequest>,
    { signal }: HandlerContext,
  ): Promise<gatewayV1.UploadCheckpointResponse> => {
    const { header, chunks } = await startUpload(pieces, MAX_CHECKPOINT_BYTES);
    const { project } = parseResourceName("project", header.parent, "parent");
    const upload = randomUUID().replaceAll("-", "");
    await store.put(keys.upload(project, upload), chunks, { signal });
    return { upload: resourceName("upload", { project, upload }) };
  };
}
