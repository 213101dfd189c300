import { randomUUID } from "node:crypto";
import { isDomainError } from "@parfocal/errors";
import type { pretrainV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { folderFromWire } from "@parfocal/stage";
import { type LoadedModel, loadModel, parsePretrainSpec, pretrain, publishMixer } from "@parfocal/training";
import type { PretrainDeps } from "../deps.ts";
import { createEventWriter, pretrainSpecFromWire, publishedToWire, regionBagFromWire } from "../pretrain-wire.ts";

/**
 * `Pretrain`: streams reports and checkpoints and publishes. A package that is there already is the answer at once, so that a
 * caller who lost the last event may ask again.
 */
export function createPretrain({ store, engine, trainer, codeVersion }: PretrainDeps) {
  return async function* (
    request: pretrainV1.PretrainRequest,
    { signal, draining }: HandlerContext,
  ): AsyncIterable<pretrainV1.PretrainResponse> {
    const folder = folderFromWire(store, request.packageUri);
    const found = await findPackage(store, folder, signal);
    if (found !== undefined) {
      yield publishedToWire(store, folder, found);
      return;
    }
    const job = {
      spec: parsePretrainSpec(pretrainSpecFromWire(request.spec, request.seed)),
      bags: request.bags.map((bag, index) => regionBagFromWire(store, bag, index)),
      regionsPrefix: folderFromWire(store, request.regionsUri),
      checkpointKey: `${folderFromWire(store, request.checkpointUri)}/checkpoint.safetensors`,
    };
    // Of its own, since trainings of one name share their state: a request id is the caller's choice, and may come twice.
    const name = `pretrain-${randomUUID()}`;
    const deps = { engine, trainer, store, nowMs: () => performance.now(), name };
    const write = createEventWriter();
    // A draining server gives its work up at once: the caller asks again elsewhere, and the last checkpoint is continued.
    for await (const event of pretrain(job, deps, AbortSignal.any([signal, draining]))) {
      if (event.kind === "done") {
        await publishMixer(store, folder, event.pretrained, { codeVersion, signal });
        await store.delete(job.checkpointKey, { signal });
        yield publishedToWire(store, folder, await loadModel(store, folder, { signal }));
      } else {
        const message = write(event);
        if (message !== undefined) yield message;
      }
    }
  };
}

/** The package in `folder`, if one is there. @throws {DomainError} as `loadModel`, but for `NOT_FOUND`. */
async function findPackage(
  store: PretrainDeps["store"],
  folder: string,
  signal: AbortSignal,
): Promise<LoadedModel | undefined> {
  try {
    return await loadModel(store, folder, { signal });
  } catch (error) {
    if (isDomainError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}
