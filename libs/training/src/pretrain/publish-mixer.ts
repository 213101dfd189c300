import { createHash } from "node:crypto";
import { countParameters } from "@parfocal/models";
import type { ObjectStore } from "@parfocal/store";
import type { ManifestFacts } from "../package/publish-model.ts";
import { type PublishedModel, type PublishOptions, publishPackage } from "../package/publish-model.ts";
import type { PretrainedMixer } from "./pretrain-job.ts";
import { pretrainSpecJson } from "./pretrain-spec.ts";

/**
 * Publishes a pretrained mixer as an ordinary package in the folder `prefix`: the encoder without a head, which re-embeds bags
 * and which a training may start from. Decoder and projector have done their work and are left out.
 *
 * @throws {DomainError} As `publishModel`.
 */
export function publishMixer(
  store: ObjectStore,
  prefix: string,
  pretrained: PretrainedMixer,
  options: PublishOptions,
): Promise<PublishedModel> {
  const { model, weights } = pretrained;
  const call = options.signal ? { signal: options.signal } : {};
  return publishPackage(store, prefix, { model, weights, facts: factsOf(pretrained, options.codeVersion) }, call);
}

function factsOf(pretrained: PretrainedMixer, codeVersion: string): ManifestFacts {
  const spec = pretrainSpecJson(pretrained.spec);
  const { model, source, dataDigest, nUpdates, history } = pretrained;
  const config = createHash("sha256").update(JSON.stringify(spec)).digest("hex");
  return {
    model: model.config,
    expects: source,
    thresholds: [],
    areThresholdsFitted: false,
    validation: null,
    test: null,
    digests: { code: codeVersion, config, trainingData: dataDigest },
    spec,
    epoch: 0,
    nParameters: countParameters(model.parameters),
    history: [],
    pretraining: { nUpdates, history },
  };
}
