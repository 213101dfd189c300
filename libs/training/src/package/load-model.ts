import { createHash } from "node:crypto";
import { float32FromTensor, parseSafetensors } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import { assertWeightsFit, buildModel, type Model, type Weights } from "@parfocal/models";
import { type CallOptions, type ObjectStore, readVerified } from "@parfocal/store";
import type { CapturedGraph } from "@parfocal/tensor";
import { type ModelManifest, type PackageFile, parseManifest } from "./manifest.ts";
import { manifestKeyOf } from "./publish-model.ts";

/** A model ready to serve. */
export interface LoadedModel {
  /** SHA-256 of the manifest: the model's identity. */
  readonly digest: string;
  readonly manifest: ModelManifest;
  readonly model: Model;
  /** The serving graph, verified. */
  readonly aggregate: CapturedGraph;
  /** The weights by name, read and verified anew at each call: serving does without them. */
  readWeights(options?: CallOptions): Promise<Weights>;
}

/** Options of {@link loadModel}. */
export interface LoadOptions extends CallOptions {
  /** SHA-256 that the manifest must have; absent: any. */
  readonly digest?: string;
}

/**
 * Loads the package in the folder `prefix`, verifying the digest of what it reads.
 *
 * @throws {DomainError} `NOT_FOUND` when there is none; `CORRUPT` when a digest is another one or the manifest is damaged;
 * `UNSUPPORTED_FORMAT` for a package of another version; what the store throws.
 */
export async function loadModel(store: ObjectStore, prefix: string, options: LoadOptions = {}): Promise<LoadedModel> {
  const call = options.signal ? { signal: options.signal } : {};
  const { bytes } = await store.get(manifestKeyOf(prefix), call);
  const digest = createHash("sha256").update(bytes).digest("hex");
  if (options.digest !== undefined && options.digest !== digest) {
    const message = `the manifest's SHA-256 begins ${digest.slice(0, 12)}, expected ${options.digest.slice(0, 12)}`;
    throw new DomainError("CORRUPT", message);
  }
  const manifest = parseManifest(bytes);
  const model = buildModel(manifest.model);
  const { inputs, outputs, ...file } = manifest.graphs.aggregate;
  const aggregate = { digest: file.digest, model: await readFile(store, prefix, file, call), inputs, outputs };
  return {
    digest,
    manifest,
    model,
    aggregate,
    async readWeights(readOptions = {}) {
      const weights = parseWeights(await readFile(store, prefix, manifest.weights, readOptions));
      assertWeightsFit(model.parameters, weights);
      return weights;
    },
  };
}

function readFile(store: ObjectStore, prefix: string, file: PackageFile, call: CallOptions): Promise<Uint8Array> {
  const { path, digest, sizeBytes } = file;
  return readVerified(store, `${prefix}/${path}`, { ...call, digest, sizeBytes });
}

/** Weights from a safetensors file. */
function parseWeights(bytes: Uint8Array): Weights {
  const { tensors } = parseSafetensors(bytes);
  const entries = [...tensors].map(([name, tensor]) => [name, Float32Array.from(float32FromTensor(tensor))] as const);
  return Object.fromEntries(entries);
}
