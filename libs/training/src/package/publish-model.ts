import { createHash } from "node:crypto";
import { encodeSafetensors } from "@parfocal/bags";
import { DomainError, isDomainError } from "@parfocal/errors";
import { captureAggregate, countParameters, type Model, type Weights } from "@parfocal/models";
import { type ObjectStore, putIfAbsent } from "@parfocal/store";
import type { TrainedModel } from "../job.ts";
import { trainSpecJson } from "../train-spec.ts";
import { encodeManifest, type ModelManifest, type PackageFile, partMetricsFromReport } from "./manifest.ts";

/** What {@link publishModel} needs beside the model. */
export interface PublishOptions {
  /** What trained it, as the service knows it: commit or image digest. */
  readonly codeVersion: string;
  readonly signal?: AbortSignal;
}

/** A package in the store. */
export interface PublishedModel {
  readonly manifestKey: string;
  /** SHA-256 of the manifest, which covers every file: the model's identity. */
  readonly digest: string;
  readonly manifest: ModelManifest;
}

/** Key of the manifest of the package in the folder `prefix`. */
export function manifestKeyOf(prefix: string): string {
  return `${prefix}/manifest.json`;
}

/**
 * Writes a trained model as a package into the folder `prefix` (no trailing slash): content-addressed files first, the
 * manifest last and only if there is none. Publishing the same model again finds everything there and succeeds.
 *
 * @throws {DomainError} `ALREADY_EXISTS` when the folder holds another model; what the store throws.
 */
export async function publishModel(
  store: ObjectStore,
  prefix: string,
  trained: TrainedModel,
  options: PublishOptions,
): Promise<PublishedModel> {
  const call = options.signal ? { signal: options.signal } : {};
  const graph = captureAggregate(trained.model, trained.weights);
  const weightBytes = encodeWeights(trained.model, trained.weights);
  const weights = await putFile(store, prefix, weightBytes, { folder: "weights", suffix: ".safetensors", ...call });
  const file = await putFile(store, prefix, graph.model, { folder: "aggregate", suffix: ".onnx", ...call });
  const manifest: ModelManifest = {
    ...factsOf(trained, options.codeVersion),
    weights,
    graphs: { aggregate: { ...file, inputs: graph.inputs, outputs: graph.outputs } },
  };
  const bytes = encodeManifest(manifest);
  const manifestKey = manifestKeyOf(prefix);
  await putManifest(store, manifestKey, bytes, call);
  return { manifestKey, digest: sha256(bytes), manifest };
}

function factsOf(trained: TrainedModel, codeVersion: string): Omit<ModelManifest, "weights" | "graphs"> {
  const spec = trainSpecJson(trained.spec);
  return {
    model: trained.model.config,
    expects: trained.source,
    thresholds: trained.thresholds,
    areThresholdsFitted: trained.areThresholdsFitted,
    validation: partMetricsFromReport(trained.validation),
    test: partMetricsFromReport(trained.test),
    digests: { code: codeVersion, config: sha256(JSON.stringify(spec)), trainingData: trained.dataDigest },
    spec,
    epoch: trained.epoch,
    nParameters: countParameters(trained.model.parameters),
    history: trained.history,
  };
}

/** Weights as one safetensors file, every parameter under its name. */
function encodeWeights(model: Model, weights: Weights): Uint8Array {
  const tensors = model.parameters.map(({ name, shape }) => {
    const data = weights[name] ?? new Float32Array();
    return [name, { dtype: "F32" as const, shape, data }] as const;
  });
  return encodeSafetensors(new Map(tensors));
}

async function putFile(
  store: ObjectStore,
  prefix: string,
  bytes: Uint8Array,
  { folder, ...options }: { folder: string; suffix: string; signal?: AbortSignal },
): Promise<PackageFile> {
  const { digest, sizeBytes } = await putIfAbsent(store, `${prefix}/${folder}`, bytes, undefined, options);
  return { path: `${folder}/${digest}${options.suffix}`, digest, sizeBytes };
}

async function putManifest(
  store: ObjectStore,
  key: string,
  bytes: Uint8Array,
  call: { signal?: AbortSignal },
): Promise<void> {
  try {
    await store.put(key, bytes, { ...call, ifNoneMatch: "*", contentType: "application/json" });
  } catch (error) {
    if (!isDomainError(error, "PRECONDITION_FAILED")) throw error;
    const found = await store.get(key, call);
    if (Buffer.compare(found.bytes, bytes) === 0) return;
    const digests = `${sha256(found.bytes).slice(0, 12)}, not ${sha256(bytes).slice(0, 12)}`;
    throw new DomainError("ALREADY_EXISTS", `the folder holds another model: its manifest is ${digests}`);
  }
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
