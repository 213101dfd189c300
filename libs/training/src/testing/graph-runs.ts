import { createRandomWords, type Engine, type HostTensor, type TensorSource } from "@parfocal/engine";
import { createRng } from "@parfocal/metrics";
import { initialiseParameters, type Model } from "@parfocal/models";
import {
  type CapturedGraph,
  type CaptureOptions,
  type ConstantTensor,
  captureGraph,
  type GraphPort,
  runEagerly,
} from "@parfocal/tensor";
import { flatLayout, flattenWeights } from "../flat-layout.ts";
import { floatsFromHostTensor } from "../host-tensor.ts";
import type { Label } from "../label.ts";
import { encodeTarget } from "../target.ts";
import { filler } from "./filler.ts";

// Legend: N tiles, D features.

/** Tensors of a graph by the names of its ports; `u16` ports get i32 data of that range. */
export type Tensors = Readonly<Record<string, ConstantTensor>>;

/** Numbers that a graph gave, by output. */
export type Outputs = Readonly<Record<string, Float32Array>>;

/** Runs a captured graph in the engine on as many of `tensors` as it has inputs. */
export async function runInEngine(engine: Engine, graph: CapturedGraph, tensors: Tensors): Promise<Outputs> {
  const feeds = graph.inputs.map(({ name, dtype }): [string, TensorSource] => {
    const { shape, data } = tensors[name] as ConstantTensor;
    const stored = dtype === "u16" ? Uint16Array.from(data) : data;
    const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
    const tensor: HostTensor = { dtype, shape, data: bytes };
    return [name, { kind: "inline", tensor }];
  });
  const fetches = Object.fromEntries(graph.outputs.map(({ name }) => [name, { kind: "inline" } as const]));
  const [result] = await engine.run([{ graph, feeds: Object.fromEntries(feeds), fetches }]);
  const outputs = Object.entries(result?.outputs ?? {});
  return Object.fromEntries(outputs.map(([name, tensor]) => [name, floatsFromHostTensor(tensor, name)]));
}

/** Captures a graph and runs it in the engine. */
export function runCaptured(engine: Engine, options: CaptureOptions, tensors: Tensors): Promise<Outputs> {
  return runInEngine(engine, captureGraph(options), tensors);
}

/** Runs the same eagerly. */
export function runEager(options: CaptureOptions, tensors: Tensors): Outputs {
  const outputs = Object.entries(runEagerly(options, only(tensors, options.inputs)));
  return Object.fromEntries(outputs.map(([name, { data }]) => [name, Float32Array.from(data)]));
}

/** The tensors of some ports. */
export function only(tensors: Tensors, ports: readonly GraphPort[]): Tensors {
  return Object.fromEntries(ports.map(({ name }) => [name, tensors[name] as ConstantTensor]));
}

/** Largest difference relative to the largest expected number; infinite when there are not as many. */
export function distance(found: Float32Array | undefined, expected: Float32Array): number {
  if (found?.length !== expected.length) return Number.POSITIVE_INFINITY;
  const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-6);
  return expected.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (found[i] ?? Number.NaN))), 0) / scale;
}

/** A bag on a ragged piece of tissue, weights, the target of a label and random words of a model. */
export function modelTensors(model: Model, nTiles: number, label: Label = 1): Record<string, ConstantTensor> {
  const { trainable, nTrainable } = flatLayout(model.parameters);
  const weights = flattenWeights(trainable, initialiseParameters(model.parameters, createRng(4n)));
  const words = model.dropoutSites.map((site, i): [string, ConstantTensor] => {
    const shape = site.shape.map((dim) => (typeof dim === "number" ? dim : nTiles));
    const data = Int32Array.from(createRandomWords({ seed: 3n, stream: BigInt(i), shape }));
    return [`random.${site.name}`, { dtype: "i32", shape, data }];
  });
  const target = encodeTarget(model.config.task, label, { labelSmoothing: 0.1, classWeights: [1, 2] });
  return {
    ...bagTensors(model, nTiles),
    weights: { dtype: "f32", shape: [nTrainable], data: weights },
    target: { dtype: "f32", shape: [2, model.nLogits], data: target },
    ...Object.fromEntries(words),
  };
}

/** A bag on a ragged piece of tissue, with the places that the model asks for. */
export function bagTensors(model: Model, nTiles: number): Record<string, ConstantTensor> {
  const cells = Int32Array.from({ length: 2 * nTiles }, (_, i) => (i % 2 === 0 ? Math.floor(i / 14) : (i * 5) % 11));
  const places = { grid: cells, coords: cells.map((cell) => 256 * cell) };
  const sides = model.sideInputs.flatMap((name): [string, ConstantTensor][] =>
    name === "grid" || name === "coords" ? [[name, { dtype: "i32", shape: [nTiles, 2], data: places[name] }]] : [],
  );
  const { dIn } = model.config;
  const features = { dtype: "f32", shape: [nTiles, dIn], data: filler([nTiles, dIn], 5, 2) } as const;
  return { features, ...Object.fromEntries(sides) };
}
