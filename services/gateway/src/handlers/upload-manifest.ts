import { randomUUID } from "node:crypto";
import { type gatewayV1, parseResourceName, resourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { MAX_MANIFEST_BYTES } from "../batch/read-manifest.ts";
import { keys } from "../catalog/keys.ts";
import type { GatewayDeps } from "../deps.ts";
import { startUpload } from "../imports/upload-pieces.ts";

/** `UploadManifest`: streams the file into the store, under a name that a batch takes. Nothing of it is read here. */
export function createUploadManifest({ store }: Pick<GatewayDeps, "store">) {
  return async (
    pieces: AsyncIterable<gatewayV1.UploadManifestRequest>,
    { signal }: HandlerContext,
  ): Promise<gatewayV1.UploadManifestResponse> => {
    const { header, chunks } = await startUpload(pieces, MAX_MANIFEST_BYTES);
    const { project } = parseResourceName("project", header.parent, "parent");
    const upload = randomUUID().replaceAll("-", "");
    await store.put(keys.upload(project, upload), chunks, { signal });
    return { upload: resourceName("upload", { project, upload }) };
  };
}
