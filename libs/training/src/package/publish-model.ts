import { createHash } from "node:crypto";
import { DomainError, isDomainError } from "@parfocal/errors";
import { captureServing, countParameters, type Model, type Weights } from "@parfocal/models";
import type { CallOptions, ObjectStore } from "@parfocal/store";
import type { TrainedModel } from "../job.ts";
import { trainSpecJson } from "../train-spec.ts";
import { encodeManifest, type ModelManifest, type PackageFile, type TypicalityFacts } from "./manifest.ts";
import { areUntouched, manifestKeyOf, putFiles, stage, stagePackage } from "./package-files.ts";
import { partMetricsFromReport } from "./part-metrics.ts";
import type { SeenBags } from "./seen-bags.ts";
import { encodeSeen, SEEN_PATH } from "./seen-file.ts";
import type { Typicality } from "./typicality.ts";
import { encodeTypicality, TYPICALITY_PATH } from "./typicality-file.ts";

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

/**
 * Writes a trained model as a package into the folder `prefix` (no trailing slash): `weights.safetensors`,
 * `typicality.safetensors` where it was measured, `seen.json`, `aggregate.onnx` where it has a head and `reembed.onnx` where it has a re-embedder first; the manifest, which has their digests, last and only if
 * there is none. Files without a manifest are what an attempt left that was cut off: they are written over. Publishing the
 * same model again finds everything there and succeeds.
 *
 * A folder belongs to one publisher at a time, as versions are named after the operation that makes them.
 *
 * @throws {DomainError} `ALREADY_EXISTS` when the folder holds another model, of which nothing is touched; what the store
 * throws.
 */
export async function publishModel(
  store: ObjectStore,
  prefix: string,
  trained: TrainedModel,
  options: PublishOptions,
): Promise<PublishedModel> {
  const { model, weights, typicality, seen, spec } = trained;
  const { action, percentile } = spec.outliers;
  const content: PackageContent = {
    model,
    weights,
    seen,
    facts: factsOf(trained, options.codeVersion),
    ...(typicality && action !== "none" && { typicality: { action, percentile, of: typicality } }),
  };
  return publishPackage(store, prefix, content, options);
}

/** What a manifest says of a model beside its files. */
export type ManifestFacts = Omit<ModelManifest, "weights" | "graphs" | "typicality" | "seen">;

/** What {@link publishPackage} writes. */
export interface PackageContent {
  readonly model: Model;
  readonly weights: Weights;
  readonly facts: ManifestFacts;
  /** What the training bags are like, and what is done with others. */
  readonly typicality?: Pick<TypicalityFacts, "action" | "percentile"> & { readonly of: Typicality };
  /** What its trainings on labels have had; absent: the package says nothing of it. */
  readonly seen?: SeenBags;
}

/** {@link publishModel} of a model that need not have been trained here. @throws {DomainError} As {@link publishModel}. */
export async function publishPackage(
  store: ObjectStore,
  prefix: string,
  { model, weights: values, facts, typicality, seen }: PackageContent,
  options: CallOptions,
): Promise<PublishedModel> {
  const call = options.signal ? { signal: options.signal } : {};
  const { files: modelFiles, weights, graphs } = await stagePackage(model, values, captureServing(model, values));
  const usual = typicality && (await stage(TYPICALITY_PATH, encodeTypicality(typicality.of)));
  const had = seen && (await stage(SEEN_PATH, encodeSeen(seen)));
  const files = [...modelFiles, ...(usual ? [usual] : []), ...(had ? [had] : [])];
  const manifest: ModelManifest = {
    ...facts,
    weights,
    graphs,
    ...(typicality && usual && { typicality: typicalityFacts(typicality, usual.file) }),
    ...(had && { seen: had.file }),
  };
  const bytes = encodeManifest(manifest);
  const published = { manifestKey: manifestKeyOf(prefix), digest: sha256(bytes), manifest };
  if (await holdsSame(store, published.manifestKey, bytes, call)) return published;
  const etags = await putFiles(store, prefix, files, call);
  await putManifest(store, published.manifestKey, bytes, call);
  if (!(await areUntouched(store, prefix, files, etags, call))) await putFiles(store, prefix, files, call);
  return published;
}

function typicalityFacts(
  { action, percentile }: NonNullable<PackageContent["typicality"]>,
  file: PackageFile,
): TypicalityFacts {
  return { action, percentile, file };
}

function factsOf(trained: TrainedModel, codeVersion: string): ManifestFacts {
  const spec = trainSpecJson(trained.spec);
  const { startDigest } = trained;
  return {
    model: trained.model.config,
    expects: trained.source,
    thresholds: trained.thresholds,
    areThresholdsFitted: trained.areThresholdsFitted,
    ...(trained.calibration && { calibration: trained.calibration }),
    ...(trained.survival && { survival: trained.survival }),
    validation: trained.validation && partMetricsFromReport(trained.validation),
    test: trained.test && partMetricsFromReport(trained.test),
    digests: {
      code: codeVersion,
      config: sha256(JSON.stringify(spec)),
      trainingData: trained.dataDigest,
      ...(startDigest !== undefined && { startFrom: startDigest }),
    },
    spec,
    epoch: trained.epoch,
    nParameters: countParameters(trained.model.parameters),
    history: trained.history,
  };
}

/** Whether this very manifest is there. @throws {DomainError} `ALREADY_EXISTS` when another one is. */
async function holdsSame(store: ObjectStore, key: string, bytes: Uint8Array, call: CallOptions): Promise<boolean> {
  let found: Uint8Array;
  try {
    found = (await store.get(key, call)).bytes;
  } catch (error) {
    if (isDomainError(error, "NOT_FOUND")) return false;
    throw error;
  }
  if (Buffer.compare(found, bytes) === 0) return true;
  const digests = `${sha256(found).slice(0, 12)}, not ${sha256(bytes).slice(0, 12)}`;
  throw new DomainError("ALREADY_EXISTS", `the folder holds another model: its manifest is ${digests}`);
}

async function putManifest(store: ObjectStore, key: string, bytes: Uint8Array, call: CallOptions): Promise<void> {
  try {
    await store.put(key, bytes, { ...call, ifNoneMatch: "*", contentType: "application/json" });
  } catch (error) {
    if (!isDomainError(error, "PRECONDITION_FAILED")) throw error;
    await holdsSame(store, key, bytes, call);
  }
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
