import { randomUUID } from "node:crypto";
import { parseTask } from "@parfocal/models";
import type { aggregateV1, commonV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { folderFromWire, packageFromWire } from "@parfocal/stage";
import { type LoadedModel, loadModel, parseTrainSpec, publishModel, type TrainEvent, train } from "@parfocal/training";
import type { AggregateDeps } from "../deps.ts";
import { findPackage, publishedFromModel } from "../published-model.ts";
import { trainSpecFromWire } from "../spec-from-wire.ts";
import { epochToWire, labelledBagFromWire } from "../wire.ts";

/**
 * `Train`: streams epochs and checkpoints and publishes. A package that is there already is the answer at once, so that
 * a caller who lost the last event may ask again.
 */
export function createTrain({ store, engine, trainer, codeVersion, checkpointMs, reportThinning }: AggregateDeps) {
  const published = (loaded: LoadedModel, folder: string): aggregateV1.TrainResponse => ({
    event: { $case: "published", value: publishedFromModel(store, folder, loaded) },
  });
  return async function* (
    request: aggregateV1.TrainRequest,
    { signal, draining }: HandlerContext,
  ): AsyncIterable<aggregateV1.TrainResponse> {
    const folder = folderFromWire(store, request.packageUri);
    const found = await findPackage(store, folder, signal);
    if (found !== undefined) {
      yield published(found, folder);
      return;
    }
    const spec = parseTrainSpec(trainSpecFromWire(request.spec));
    const task = parseTask(spec.model.task);
    const bags = request.bags.map((bag, index) => labelledBagFromWire(store, task, bag, index));
    const startFrom = request.startFrom && startFromWire(store, request.startFrom);
    const checkpointKey = `${folderFromWire(store, request.checkpointUri)}/checkpoint.safetensors`;
    // Of its own, since trainings of one name share their state: a request id is the caller's choice, and may come twice.
    const name = `train-${randomUUID()}`;
    let nThinned = 0;
    const onThinned = (droppedCount: number) => {
      nThinned += droppedCount;
    };
    const deps = { engine, trainer, store, nowMs: () => performance.now(), checkpointMs, name, onThinned };
    const job = { spec, bags, checkpointKey, ...(startFrom && { startFrom }) };
    // A draining server ends its trainings at the next checkpoint's worth of work; the caller asks again elsewhere.
    const either = AbortSignal.any([signal, draining]);
    for await (const event of train(job, deps, either)) {
      // By then every bag was looked at.
      if (event.kind === "split") reportThinning(nThinned);
      if (event.kind === "done") {
        await publishModel(store, folder, event.trained, { codeVersion, signal });
        await store.delete(checkpointKey, { signal });
        yield published(await loadModel(store, folder, { signal }), folder);
      } else {
        const wire = eventToWire(event);
        if (wire !== undefined) yield { event: wire };
      }
    }
  };
}

function startFromWire(store: AggregateDeps["store"], model: commonV1.ModelReference) {
  const { folder, digest } = packageFromWire(store, model, "start_from");
  return { prefix: folder, digest };
}

/** What the contract tells of an event; progress within an epoch is not part of it. */
function eventToWire(event: Exclude<TrainEvent, { kind: "done" }>): aggregateV1.TrainResponse["event"] {
  switch (event.kind) {
    case "split": {
      const { nTrain, nValidation, nTest, nParameters } = event;
      const counts = { trainCount: nTrain, validationCount: nValidation, testCount: nTest };
      return { $case: "split", value: { ...counts, parameterCount: BigInt(nParameters) } };
    }
    case "epoch":
      return { $case: "epoch", value: epochToWire(event) };
    case "checkpoint":
      return { $case: "checkpoint", value: { epoch: event.epoch } };
    case "progress":
    case "recovered":
      return undefined;
  }
}
