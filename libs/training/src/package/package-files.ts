import { encodeSafetensors } from "@parfocal/bags";
import type { Model, ServingGraphs, Weights } from "@parfocal/models";
import { type CallOptions, type ObjectStore, sha256Hex } from "@parfocal/store";
import type { CapturedGraph } from "@parfocal/tensor";
import type { PackageFile, PackageGraph, PackageGraphs } from "./manifest.ts";

/** Key of the manifest of the package in the folder `prefix`. */
export function manifestKeyOf(prefix: string): string {
  return `${prefix}/manifest.json`;
}

/** A file that is to be written, with what the manifest says of it. */
export interface StagedFile {
  readonly file: PackageFile;
  readonly bytes: Uint8Array;
}

/** The files of a package and how its manifest names them. */
export interface StagedPackage {
  readonly files: readonly StagedFile[];
  readonly weights: PackageFile;
  readonly graphs: PackageGraphs;
}

/** Names, digests and contents of all files of a model but the manifest. Deterministic. */
export async function stagePackage(model: Model, weights: Weights, graphs: ServingGraphs): Promise<StagedPackage> {
  const { whole, halves } = graphs.reembed ?? {};
  const stagedWeights = await stage("weights.safetensors", encodeWeights(model, weights));
  const named = {
    ...(graphs.aggregate && { aggregate: { path: "aggregate.onnx", graph: graphs.aggregate } }),
    ...(whole && { reembed: { path: "reembed.onnx", graph: whole } }),
    ...(halves && {
      reembedStem: { path: "reembed-stem.onnx", graph: halves.stem },
      reembedBody: { path: "reembed-body.onnx", graph: halves.body },
    }),
  };
  const described = Object.entries(named).map(([name, { path, graph }]) => [name, describe(path, graph)] as const);
  return {
    files: [stagedWeights, ...Object.values(named).map(({ path, graph }) => stagedGraph(path, graph))],
    weights: stagedWeights.file,
    graphs: Object.fromEntries(described) satisfies PackageGraphs,
  };
}

function stagedGraph(path: string, { digest, model }: CapturedGraph): StagedFile {
  return { file: { path, digest, sizeBytes: model.byteLength }, bytes: model };
}

function describe(path: string, { digest, model, inputs, outputs }: CapturedGraph): PackageGraph {
  return { path, digest, sizeBytes: model.byteLength, inputs, outputs };
}

/** A file of a package under a name, with its digest. */
export async function stage(path: string, bytes: Uint8Array): Promise<StagedFile> {
  return { file: { path, digest: await sha256Hex(bytes), sizeBytes: bytes.byteLength }, bytes };
}

/** Weights as one safetensors file, every parameter under its name. */
function encodeWeights(model: Model, weights: Weights): Uint8Array {
  const tensors = model.parameters.map(({ name, shape }) => {
    const data = weights[name] ?? new Float32Array();
    return [name, { dtype: "F32" as const, shape, data }] as const;
  });
  return encodeSafetensors(new Map(tensors));
}

/** Writes files into the folder `prefix`, over whatever an earlier attempt left there. Gives their versions. */
export async function putFiles(
  store: ObjectStore,
  prefix: string,
  files: readonly StagedFile[],
  call: CallOptions,
): Promise<readonly string[]> {
  const infos = await Promise.all(files.map(({ file, bytes }) => store.put(`${prefix}/${file.path}`, bytes, call)));
  return infos.map(({ etag }) => etag);
}

/** Whether the files are still the versions that were written. */
export async function areUntouched(
  store: ObjectStore,
  prefix: string,
  files: readonly StagedFile[],
  etags: readonly string[],
  call: CallOptions,
): Promise<boolean> {
  const infos = await Promise.all(files.map(({ file }) => store.head(`${prefix}/${file.path}`, call)));
  return infos.every(({ etag }, i) => etag === etags[i]);
}
