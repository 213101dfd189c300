import { isDomainError } from "@parfocal/errors";
import { countParameters, modelConfigJson } from "@parfocal/models";
import type { aggregateV1, commonV1 } from "@parfocal/protocol";
import { modelReferenceOf } from "@parfocal/stage";
import type { ObjectStore } from "@parfocal/store";
import { checkpointSourceOf, type LoadedModel, loadModel, manifestKeyOf } from "@parfocal/training";
import { evaluationFromMetrics } from "./evaluation-to-wire.ts";
import { epochToWire } from "./wire.ts";

/** The package in `folder`, if one is there. @throws {DomainError} as `loadModel`, but for `NOT_FOUND`. */
export async function findPackage(
  store: ObjectStore,
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

/** A published package, as the contract shows it. */
export function publishedFromModel(
  store: Pick<ObjectStore, "rootUri">,
  folder: string,
  { manifest, digest, model }: LoadedModel,
): aggregateV1.PublishedEvent {
  return {
    model: modelReferenceOf(store, { manifestKey: manifestKeyOf(folder), digest }, 0),
    validation: manifest.validation ? evaluationFromMetrics(manifest.validation) : undefined,
    test: manifest.test ? evaluationFromMetrics(manifest.test) : undefined,
    featureDim: model.config.dIn,
    encoder: manifest.expects.encoder ?? "",
    parameterCount: BigInt(countParameters(model.parameters)),
    history: manifest.history.map(epochToWire),
    reembedder: model.hasReembedder ? model.config.reembed.kind : "",
    head: model.config.head.kind,
    configJson: JSON.stringify(modelConfigJson(model.config)),
    source: sourceToWire(manifest),
    expects: { ...manifest.expects, encoder: manifest.expects.encoder ?? "" },
  };
}

function sourceToWire({ spec }: LoadedModel["manifest"]): commonV1.CheckpointSource | undefined {
  const source = checkpointSourceOf(spec);
  return source && { layout: source.layout, sha256: source.digest, settings: [...source.settings] };
}
