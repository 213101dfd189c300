import { encodeSafetensors } from "@parfocal/bags";
import { createRng } from "@parfocal/metrics";
import { inferenceV2 } from "@parfocal/protocol";
import { type Channel, createStageClient } from "@parfocal/runtime";

/** Tiles of a made-up slide: standard normal features and the corners of a grid of 16 columns. */
export interface TestTiles {
  readonly n: number;
  readonly d: number;
  readonly features: Float32Array;
  readonly coords: Int32Array;
}

/** `n` tiles of `d` features. */
export function testTiles(n: number, d: number, seed = 3n): TestTiles {
  const rng = createRng(seed);
  return {
    n,
    d,
    features: Float32Array.from({ length: n * d }, () => rng.normal()),
    coords: Int32Array.from({ length: 2 * n }, (_, i) => 256 * (i % 2 === 0 ? (i / 2) % 16 : Math.floor(i / 32))),
  };
}

/** The same tiles as a file to upload. */
export function tilesFile({ n, d, features, coords }: TestTiles): Uint8Array {
  return encodeSafetensors(
    new Map([
      ["features", { dtype: "F32" as const, shape: [n, d], data: features }],
      ["coords", { dtype: "I32" as const, shape: [n, 2], data: coords }],
    ]),
  );
}

/** A client of the Open Inference Protocol. */
export function createInferenceClient(channel: Channel) {
  return createStageClient(inferenceV2.GRPCInferenceServiceDefinition, channel).calls;
}

/** An input whose elements travel apart, raw. */
export function rawInput(name: string, datatype: string, shape: readonly number[]) {
  return inferenceV2.ModelInferRequest_InferInputTensor.fromPartial({ name, datatype, shape: shape.map(BigInt) });
}

/** The input that names a bag or a file. */
export function bagInput(reference: string) {
  return inferenceV2.ModelInferRequest_InferInputTensor.fromPartial({
    ...{ name: "bag", datatype: "BYTES", shape: [1n] },
    contents: { bytesContents: [Buffer.from(reference)] },
  });
}

/** The bytes of an array. */
export function bytesOf(view: ArrayBufferView): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

/** An output's f32 elements, raw or typed. */
export function floatsOf(response: inferenceV2.ModelInferResponse, name: string): number[] {
  const index = response.outputs.findIndex((output) => output.name === name);
  const raw = response.rawOutputContents[index];
  if (raw !== undefined) return Array.from(new Float32Array(Uint8Array.from(raw).buffer));
  return response.outputs[index]?.contents?.fp32Contents ?? [];
}
