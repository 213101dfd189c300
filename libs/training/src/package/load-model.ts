import { createHash } from "node:crypto";
import { float32FromTensor, parseSafetensors } from "@parfocal/bags";
import { DomainError, shareWork } from "@parfocal/errors";
import { assertWeightsFit, buildModel, type Model, type ReembedGraphs, type Weights } from "@parfocal/models";
import { type CallOptions, type ObjectStore, readVerified } from "@parfocal/store";
import type { CapturedGraph } from "@parfocal/tensor";
import type { ModelManifest, PackageFile, PackageGraph, TypicalityFacts } from "./manifest.ts";
import { manifestKeyOf } from "./package-files.ts";
import { parseManifest } from "./read-manifest.ts";
import { NOTHING_KNOWN, type SeenBags } from "./seen-bags.ts";
import { parseSeen } from "./seen-file.ts";
import type { Typicality } from "./typicality.ts";
import { parseTypicality } from "./typicality-file.ts";
import { captureMoments } from "./typicality-runs.ts";

/** A model ready to serve. */
export interface LoadedModel {
  /** SHA-256 of the manifest: the model's identity. */
  readonly digest: string;
  readonly manifest: ModelManifest;
  readonly model: Model;
  /** The aggregating graph, verified; absent in models that only re-embed. See {@link decidingGraph}. */
  readonly aggregate?: CapturedGraph;
  /** Absent in models without a re-embedder. */
  readonly reembed?: LoadedReembedder;
  /** What the training bags are like; absent where it was not measured. */
  readonly usual?: LoadedTypicality;
  /** Which bags its trainings on labels have had; of a package that does not say, that nothing is known. */
  readonly seen: SeenBags;
  /** The weights by name, read and verified anew at each call: serving does without them. */
  readWeights(options?: CallOptions): Promise<Weights>;
}

/** What training bags are like, and the graph that measures others. */
export interface LoadedTypicality extends Pick<TypicalityFacts, "action" | "percentile"> {
  readonly typicality: Typicality;
  readonly graph: CapturedGraph;
}

/** The re-embedder of a loaded model. */
export interface LoadedReembedder {
  /**
   * Models that share their re-embedder share it: SHA-256 of `reembed.onnx`, which holds configuration and weights; of one that
   * looks at regions, of that with the rule by which its inputs are made.
   */
  readonly digest: string;
  /** What the bags that it leaves name as their encoder. */
  readonly encoder: string;
  /** Its graphs, read and verified at the first call and kept. */
  readGraphs(options?: CallOptions): Promise<ReembedGraphs>;
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
  const reembed = reembedderOf(store, prefix, manifest, model);
  const { aggregate } = manifest.graphs;
  const usual = await readUsual(store, prefix, manifest, model, call);
  return {
    digest,
    manifest,
    model,
    ...(aggregate && { aggregate: await readGraph(store, prefix, aggregate, call) }),
    ...(reembed && { reembed }),
    ...(usual && { usual }),
    seen: await readSeen(store, prefix, manifest, call),
    async readWeights(readOptions = {}) {
      const weights = parseWeights(await readFile(store, prefix, manifest.weights, readOptions));
      assertWeightsFit(model.parameters, weights);
      return weights;
    },
  };
}

/**
 * The graph by which a model decides.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` for a model that only re-embeds.
 */
export function decidingGraph({ aggregate }: Pick<LoadedModel, "aggregate">): CapturedGraph {
  if (aggregate !== undefined) return aggregate;
  throw new DomainError(
    "PRECONDITION_FAILED",
    "the model re-embeds tiles and decides nothing; train one that starts from it",
  );
}

/** What re-embedded bags name as their encoder: enough of the digest to tell any two re-embedders of a store apart. */
function reembedEncoderOf(digest: string): string {
  return `reembed:${digest.slice(0, 12)}`;
}

/**
 * The graph does not know which magnifications its rows come from: graphs that only pick rows are all the same. Nor does it know that
 * tiles were left out before it: what was made when none were is not what is made now.
 */
function identityOf(graphDigest: string, { regions, outputRows, hasUniqueCells }: Model): string {
  if (hasUniqueCells)
    return createHash("sha256")
      .update(JSON.stringify([graphDigest, "unique cells"]))
      .digest("hex");
  if (regions === undefined) return graphDigest;
  const { levelCount, levels, regionTiles } = regions;
  const rule = JSON.stringify([graphDigest, levelCount, levels, regionTiles, outputRows]);
  return createHash("sha256").update(rule).digest("hex");
}

function reembedderOf(
  store: ObjectStore,
  prefix: string,
  { graphs }: ModelManifest,
  model: Model,
): LoadedReembedder | undefined {
  const { reembed, reembedStem, reembedBody } = graphs;
  if (reembed === undefined) return undefined;
  const readAll = shareWork(async (): Promise<ReembedGraphs> => {
    const whole = await readGraph(store, prefix, reembed, {});
    if (reembedStem === undefined || reembedBody === undefined) return { whole };
    const stem = await readGraph(store, prefix, reembedStem, {});
    return { whole, halves: { stem, body: await readGraph(store, prefix, reembedBody, {}) } };
  });
  const digest = identityOf(reembed.digest, model);
  return {
    digest,
    encoder: reembedEncoderOf(digest),
    readGraphs: ({ signal } = {}) => readAll(signal),
  };
}

async function readUsual(
  store: ObjectStore,
  prefix: string,
  { typicality }: ModelManifest,
  model: Model,
  call: CallOptions,
): Promise<LoadedTypicality | undefined> {
  if (typicality === undefined) return undefined;
  const { action, percentile, file } = typicality;
  const bytes = await readFile(store, prefix, file, call);
  return { action, percentile, typicality: parseTypicality(bytes), graph: captureMoments(model) };
}

async function readSeen(
  store: ObjectStore,
  prefix: string,
  { seen }: ModelManifest,
  call: CallOptions,
): Promise<SeenBags> {
  return seen === undefined ? NOTHING_KNOWN : parseSeen(await readFile(store, prefix, seen, call));
}

async function readGraph(
  store: ObjectStore,
  prefix: string,
  { inputs, outputs, ...file }: PackageGraph,
  call: CallOptions,
): Promise<CapturedGraph> {
  return { digest: file.digest, model: await readFile(store, prefix, file, call), inputs, outputs };
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
