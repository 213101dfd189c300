import { createHash } from "node:crypto";
import { DomainError } from "@parfocal/errors";
import { aggregateV1, commonV1, gatewayV1, parseResourceName } from "@parfocal/protocol";
import { type ObjectStore, openStore, uriFromKey } from "@parfocal/store";
import type { Json, StepContext, Workflow, WorkflowContext } from "@parfocal/workflows";
import { keys } from "../catalog/keys.ts";
import type { GatewayDeps } from "../deps.ts";
import type { SourceRoots } from "../imports/source-roots.ts";
import { enterModel } from "./enter-model.ts";
import { MAX_STAGE_ATTEMPTS, STAGE_TIMEOUT_MS } from "./stage-steps.ts";

type Deps = Pick<GatewayDeps, "store" | "models" | "aggregate">;

/** Largest checkpoint that is taken; those of aggregators have some 10 MB. */
export const MAX_CHECKPOINT_BYTES = 1024 ** 3;

/**
 * Imports a public checkpoint: copies it to the operation's own place in the store (the stage reads nothing outside, and an upload
 * expires), has the stage make a package of it, enters that into the catalog, and deletes copy and upload.
 */
export function createImportModelWorkflow(deps: Deps, roots: SourceRoots): Workflow<Json, Json> {
  return async (context, input) => {
    const request = gatewayV1.ImportModelRequest.fromJSON(input);
    const copy = await context.step("copy", (step) => copyCheckpoint(deps.store, context, request, roots, step));
    const work = (step: StepContext) => importOnStage(deps, context, request, copy, step);
    const made = await context.step("import", work, { maxAttempts: MAX_STAGE_ATTEMPTS });
    const { published, task } = aggregateV1.ImportModelResponse.fromJSON(made);
    if (published === undefined) throw new DomainError("INTERNAL", "the stage answered without a package");
    const enter = () => enterModel(deps, context, { modelId: request.modelId, task }, published);
    const entered = await context.step("publish", enter, { maxAttempts: MAX_STAGE_ATTEMPTS });
    await context.step("tidy", async ({ signal }) => {
      await deps.store.delete(keys.checkpointCopy(context.project, context.operationId), { signal });
      if (request.upload !== "") await deps.store.delete(uploadKey(request), { signal });
      return null;
    });
    return entered;
  };
}

async function copyCheckpoint(
  store: ObjectStore,
  { project, operationId }: WorkflowContext,
  request: gatewayV1.ImportModelRequest,
  roots: SourceRoots,
  { signal, report }: StepContext,
): Promise<Json> {
  report({ phase: "copying the checkpoint", fraction: 0 });
  const source = openSource(store, request, roots);
  try {
    const { chunks, sizeBytes } = await source.store.getStream(source.key, { signal });
    if (sizeBytes > MAX_CHECKPOINT_BYTES) {
      const message = `the checkpoint has ${sizeBytes} bytes, the bound is ${MAX_CHECKPOINT_BYTES}`;
      throw new DomainError("RESOURCE_EXHAUSTED", message);
    }
    const hash = createHash("sha256");
    const target = keys.checkpointCopy(project, operationId);
    await store.put(target, hashed(chunks, hash), { signal });
    const object = { uri: uriFromKey(store, target), sha256: hash.digest("hex"), sizeBytes: BigInt(sizeBytes) };
    return commonV1.ObjectReference.toJSON(object) as Json;
  } finally {
    source.close();
  }
}

/** Where the file is: an upload in our own store, or below an import root. */
function openSource(store: ObjectStore, request: gatewayV1.ImportModelRequest, roots: SourceRoots) {
  if (request.upload !== "") return { store, key: uploadKey(request), close: () => {} };
  const { store: address, key } = roots.resolve(request.uri);
  const outside = openStore(address.uri, address.options);
  return { store: outside, key, close: () => outside.close() };
}

function uploadKey(request: gatewayV1.ImportModelRequest): string {
  const { project, upload } = parseResourceName("upload", request.upload, "upload");
  return keys.upload(project, upload);
}

async function* hashed(
  chunks: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

async function importOnStage(
  { store, aggregate }: Deps,
  { project, operationId }: WorkflowContext,
  { modelId, settings, task, encoder }: gatewayV1.ImportModelRequest,
  copy: Json,
  { signal, report }: StepContext,
): Promise<Json> {
  report({ phase: "importing", fraction: 0.5 });
  const packageUri = uriFromKey(store, keys.packageFolder(project, modelId, operationId));
  const checkpoint = commonV1.ObjectReference.fromJSON(copy);
  const options = { signal, timeoutMs: STAGE_TIMEOUT_MS };
  const made = await aggregate.importModel({ checkpoint, settings, task, encoder, packageUri }, options);
  return aggregateV1.ImportModelResponse.toJSON(made) as Json;
}
