import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeBag, encodeSafetensors } from "@parfocal/bags";
import { isDomainError } from "@parfocal/errors";
import { buildModel } from "@parfocal/models";
import { inferenceV2 } from "@parfocal/protocol";
import { readRecords } from "@parfocal/tables";
import { importCheckpoint } from "@parfocal/training";
import { h5Fixtures } from "../../../libs/bags/src/import/hdf5/fixtures/read-fixture.ts";
import { importWithin } from "../../../libs/bags/src/import/import-file.ts";
import { importBytes } from "../../../libs/bags/src/import/import-in-process.ts";
import { torchFixtures } from "../../../libs/bags/src/import/torch/fixtures/read-fixture.ts";
import { encodeManifest } from "../../../libs/training/src/package/manifest.ts";
import { parseManifest } from "../../../libs/training/src/package/read-manifest.ts";
import { inferSubjectOf } from "../../../services/gateway/src/inference/infer-subject.ts";
import { encodeNpy } from "../npy.ts";
import { encodeTorchFile, encodeZip } from "../torch-file.ts";

/** A parser of bytes from outside, with files that it takes. */
export interface FuzzTarget {
  readonly name: string;
  /** Valid files. */
  readonly samples: readonly Uint8Array[];
  /** Parses; throws what the parser throws. */
  parse(bytes: Uint8Array): Promise<unknown>;
  /** Share of the usual number of cases, for parsers that run in threads of their own. */
  readonly share?: number;
}

const text = (lines: string) => new TextEncoder().encode(lines);
const [FEATURES, COORDS] = [Float32Array.of(1, 2, 3, 4, 5, 6), Int32Array.of(0, 0, 256, 0)];

/** Every parser of bytes from outside. */
export function fuzzTargets(): readonly FuzzTarget[] {
  const torch = [...torchFixtures()];
  const named = (kind: string) => torch.filter(([name]) => name.startsWith(kind)).map(([, bytes]) => bytes);
  return [
    importTarget("canonical bags", "a.safetensors", [
      encodeBag({
        ...{ n: 2, d: 3, features: { dtype: "F32", data: FEATURES }, coords: COORDS },
        metadata: { slideId: "s", encoder: "ours", mpp: 0.5, level0StridePx: 256, anchorPx: [0.5, 1], levelCount: 2 },
      }),
    ]),
    importTarget("safetensors", "a.safetensors", [
      encodeSafetensors(
        new Map([
          ["features", { dtype: "F16" as const, shape: [1, 2, 3], data: Float16Array.from(FEATURES) }],
          ["coords", { dtype: "I64" as const, shape: [2, 2], data: BigInt64Array.of(0n, 0n, 256n, 0n) }],
        ]),
      ),
    ]),
    importTarget(".pt files, zip", "a.pt", named("zip")),
    importTarget(".pt files, legacy", "a.pt", named("legacy")),
    importTarget(".npy files", "a.npy", [encodeNpy([2, 3], FEATURES), encodeNpy([1, 2, 3], FEATURES)]),
    importTarget(".npz files", "a.npz", [
      encodeZip([
        ["features.npy", encodeNpy([2, 3], FEATURES)],
        ["coords.npy", encodeNpy([2, 2], Float32Array.from(COORDS))],
      ]),
    ]),
    importTarget("CSV files", "a.csv", [
      text("label,bag,a,b\n1,x,1,2.5\n0,y,-3e2,4\n1,x,5,6\n"),
      text("1,x,1\r\n0,z,2\r\n"),
    ]),
    h5Target(),
    {
      name: "checkpoints",
      samples: [checkpoint(), ...torch.map(([, bytes]) => bytes)],
      parse: async (bytes) => importCheckpoint({ bytes, settings: {} }),
    },
    { name: "manifest.json", samples: [manifest()], parse: async (bytes) => parseManifest(bytes) },
    {
      name: "manifests of batches",
      samples: [
        text('bag,patient_id\nprojects/p/bags/0,a\n1,"b,\n"\n'),
        text('{"bag":"0","patient_id":"a"}\n{"bag":"1"}\n'),
        text("slide_id\tpatient_id\na\tb\n"),
      ],
      parse: (bytes) => Array.fromAsync(readRecords(pieces(bytes))),
    },
    { name: "inference requests", samples: inferenceRequests(), parse: async (bytes) => parseInference(bytes) },
  ];
}

/** What came of a parse: nothing, or the code of a refusal. @throws whatever is no refusal. */
export async function outcomeOf(target: FuzzTarget, bytes: Uint8Array): Promise<string> {
  try {
    await target.parse(bytes);
    return "parsed";
  } catch (error) {
    if (isDomainError(error) && error.code !== "INTERNAL") return error.code;
    throw error;
  }
}

function importTarget(name: string, path: string, samples: readonly Uint8Array[]): FuzzTarget {
  const parse = (bytes: Uint8Array) =>
    Array.fromAsync(importBytes({ bytes: new Uint8Array(bytes), digest: "0".repeat(64) }, path, {}));
  return { name, samples, parse };
}

/** HDF5 is parsed by a library that damage may crash or send in circles, so always in a thread of its own. */
function h5Target(): FuzzTarget {
  const path = join(mkdtempSync(join(tmpdir(), "parfocal-fuzz-")), "a.h5");
  return {
    name: "HDF5 files",
    samples: [...h5Fixtures().values()],
    share: 0.05,
    parse: (bytes) => {
      writeFileSync(path, bytes);
      return Array.fromAsync(importWithin(path, {}, 10_000));
    },
  };
}

/** An attention head of CLAM: 6 features, width 5, attention width 4, 2 classes. */
function checkpoint(): Uint8Array {
  const shapes: Readonly<Record<string, readonly number[]>> = {
    ...{ "attention_net.0.weight": [5, 6], "attention_net.0.bias": [5] },
    ...{ "attention_net.3.attention_a.0.weight": [4, 5], "attention_net.3.attention_a.0.bias": [4] },
    ...{ "attention_net.3.attention_b.0.weight": [4, 5], "attention_net.3.attention_b.0.bias": [4] },
    ...{ "attention_net.3.attention_c.weight": [1, 4], "attention_net.3.attention_c.bias": [1] },
    ...{ "classifiers.weight": [2, 5], "classifiers.bias": [2] },
    ...{ "instance_classifiers.0.weight": [2, 5], "instance_classifiers.0.bias": [2] },
    ...{ "instance_classifiers.1.weight": [2, 5], "instance_classifiers.1.bias": [2] },
  };
  const entries = Object.entries(shapes).map(([name, shape]) => {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i / 7 - 1);
    return [name, { shape, values }] as const;
  });
  return encodeTorchFile(new Map(entries));
}

function manifest(): Uint8Array {
  const model = buildModel({
    dIn: 6,
    head: { kind: "gated-abmil", hidden: [5] },
    task: { kind: "binary", classes: ["a", "b"] },
  });
  const file = (path: string) => ({ path, digest: "ab".repeat(32), sizeBytes: 10 });
  const port = (name: string) => ({ name, dtype: "f32" as const, shape: ["N", 6] });
  return encodeManifest({
    model: model.config,
    expects: { encoder: "ours", tilePx: 256, mpp: 0.5 },
    thresholds: [0.5],
    areThresholdsFitted: false,
    validation: null,
    test: null,
    digests: { code: "dev", config: "cd".repeat(32), trainingData: "ef".repeat(32) },
    spec: {},
    epoch: 3,
    nParameters: 100,
    history: [],
    weights: file("weights.safetensors"),
    graphs: { aggregate: { ...file("aggregate.onnx"), inputs: [port("tiles")], outputs: [port("probabilities")] } },
  });
}

function inferenceRequests(): Uint8Array[] {
  const encode = (message: Parameters<typeof inferenceV2.ModelInferRequest.fromPartial>[0]) =>
    inferenceV2.ModelInferRequest.encode(inferenceV2.ModelInferRequest.fromPartial(message)).finish();
  const features = { name: "features", datatype: "FP32", shape: [2n, 3n] };
  const name = Buffer.from("projects/p/bags/0");
  return [
    encode({ modelName: "m", inputs: [features], rawInputContents: [Buffer.from(FEATURES.buffer)] }),
    encode({ modelName: "m", inputs: [{ ...features, contents: { fp32Contents: [...FEATURES] } }] }),
    encode({ inputs: [{ name: "bag", datatype: "BYTES", shape: [1n], contents: { bytesContents: [name] } }] }),
  ];
}

/** What is no protobuf is refused by gRPC before any of ours sees it. */
function parseInference(bytes: Uint8Array): unknown {
  let request: inferenceV2.ModelInferRequest;
  try {
    request = inferenceV2.ModelInferRequest.decode(bytes);
  } catch {
    return undefined;
  }
  return inferSubjectOf(request);
}

async function* pieces(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 16) yield await Promise.resolve(bytes.subarray(at, at + 16));
}
