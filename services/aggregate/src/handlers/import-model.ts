import { DomainError } from "@parfocal/errors";
import { type aggregateV1, commonV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { folderFromWire, objectFromWire } from "@parfocal/stage";
import { readVerified } from "@parfocal/store";
import { type CheckpointImport, importCheckpoint, loadModel, publishCheckpoint } from "@parfocal/training";
import type { AggregateDeps } from "../deps.ts";
import { findPackage, publishedFromModel } from "../published-model.ts";
import { taskFromWire, taskToWire } from "../task-wire.ts";

/** Largest checkpoint: it is read into memory whole, and those of aggregators have some 10 MB. */
const MAX_BYTES = 1024 ** 3;

/** `ImportModel`: reads a public checkpoint without executing any of it and publishes it. */
export function createImportModel({ store, codeVersion }: AggregateDeps) {
  return async (
    request: aggregateV1.ImportModelRequest,
    { signal }: HandlerContext,
  ): Promise<aggregateV1.ImportModelResponse> => {
    const folder = folderFromWire(store, request.packageUri);
    if ((await findPackage(store, folder, signal)) === undefined) {
      const { key, digest, sizeBytes } = objectFromWire(store, request.checkpoint, "checkpoint");
      assertSize(sizeBytes);
      const bytes = await readVerified(store, key, { digest, sizeBytes, signal });
      const { task } = request;
      const settings = settingsOf(request);
      const imported = importCheckpoint({ bytes, settings, ...(task && { task: importedTask(task) }) });
      await publishCheckpoint(store, folder, imported, { codeVersion, signal });
    }
    const loaded = await loadModel(store, folder, { signal });
    return { published: publishedFromModel(store, folder, loaded), task: taskToWire(loaded.model.config.task) };
  };
}

/** Without a kind the names alone: the checkpoint's layout knows what its program decides. */
function importedTask(task: commonV1.Task): NonNullable<CheckpointImport["task"]> {
  return task.kind === commonV1.Task_Kind.KIND_UNSPECIFIED ? { classes: task.classes } : taskFromWire(task);
}

/** The settings with the encoder, which has a field of its own as well. @throws {DomainError} `INVALID_ARGUMENT` for two that differ. */
function settingsOf({ settings, encoder }: aggregateV1.ImportModelRequest): Readonly<Record<string, string>> {
  const set = settings.encoder;
  if (encoder === "") return settings;
  if (set === undefined || set === encoder) return { ...settings, encoder };
  const message = `the encoder is ${JSON.stringify(encoder)}, in the settings ${JSON.stringify(set)}; it is one`;
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "encoder" } });
}

function assertSize(sizeBytes: number): void {
  if (sizeBytes >= 1 && sizeBytes <= MAX_BYTES) return;
  throw new DomainError("INVALID_ARGUMENT", `the checkpoint has ${sizeBytes} bytes; it is 1 to ${MAX_BYTES}`, {
    details: { field: "checkpoint.size_bytes" },
  });
}
