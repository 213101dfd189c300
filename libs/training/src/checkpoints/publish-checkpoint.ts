import { createHash } from "node:crypto";
import { countParameters, countThresholds } from "@parfocal/models";
import type { ObjectStore } from "@parfocal/store";
import {
  type ManifestFacts,
  type PublishedModel,
  type PublishOptions,
  publishPackage,
} from "../package/publish-model.ts";
import { checkpointSourceJson } from "./checkpoint-source.ts";
import type { ImportedCheckpoint } from "./import-checkpoint.ts";

/** What decides when nothing was fitted. */
const DEFAULT_THRESHOLD = 0.5;

/**
 * Publishes an imported model as a package in the folder `prefix`. Nothing is known of how well it does: thresholds are 0.5,
 * figures absent, and the manifest's specification says what it was imported from.
 *
 * @throws {DomainError} As `publishModel`.
 */
export function publishCheckpoint(
  store: ObjectStore,
  prefix: string,
  imported: ImportedCheckpoint,
  options: PublishOptions,
): Promise<PublishedModel> {
  const { model, weights } = imported;
  const call = options.signal ? { signal: options.signal } : {};
  return publishPackage(store, prefix, { model, weights, facts: factsOf(imported, options) }, call);
}

function factsOf(
  { model, layout, settings, expects, sourceDigest }: ImportedCheckpoint,
  { codeVersion }: Pick<PublishOptions, "codeVersion">,
): ManifestFacts {
  const spec = checkpointSourceJson({ layout, settings, digest: sourceDigest });
  const { task } = model.config;
  return {
    model: model.config,
    expects,
    thresholds: new Array<number>(countThresholds(task)).fill(DEFAULT_THRESHOLD),
    areThresholdsFitted: false,
    validation: null,
    test: null,
    digests: {
      code: codeVersion,
      config: createHash("sha256").update(JSON.stringify(spec)).digest("hex"),
      // What it was trained on is not known; this much of its origin is.
      trainingData: sourceDigest,
    },
    spec,
    epoch: 0,
    nParameters: countParameters(model.parameters),
    history: [],
  };
}
