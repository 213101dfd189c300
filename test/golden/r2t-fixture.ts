/**
 * The cosine fixture of R2T: an encoder of width 16 whose input and parameters are trigonometric functions of their indices, so that
 * any implementation can make them. Expected numbers come from the public program (DearCaat/RRT-MIL at 7ecbdfb) in f64.
 */
import { buildModel, type Model, sizeOfShape } from "@parfocal/models";
import { type CaptureOptions, type ConstantTensor, captureGraph, runEagerly, tf } from "@parfocal/tensor";
import { inDoublePrecision } from "../../libs/tensor/src/testing/double-precision.ts";
import { runGraph } from "../../libs/tensor/src/testing/run-graph.ts";

/** Width of the fixture's encoder. */
export const WIDTH = 16;

/** What every check has unless it says otherwise. */
const BASE = { kind: "r2t", stemWidth: 0, heads: 2, crmsaHeads: 2, epegKernel: 3, crmsaK: 2, dropout: 0 };

/** Numbers of a run by name. */
export type Numbers = Readonly<Record<string, ArrayLike<number>>>;

/** A model with the fixture's re-embedder under a head that does nothing to it. */
export function fixtureModel(change: Readonly<Record<string, unknown>> = {}): Model {
  const task = { kind: "binary", classes: ["no", "yes"] };
  return buildModel({ dIn: WIDTH, reembed: { ...BASE, ...change }, head: { kind: "mean", hidden: [] }, task });
}

/** Element `i` of feature `j` of the input. */
export function fixtureInput(nTiles: number, width = WIDTH): number[] {
  return Array.from({ length: nTiles * width }, (_, k) => {
    const [i, j] = [Math.floor(k / width), k % width];
    return Math.sin(0.13 * i * (1 + 0.05 * j) + 0.7 * j);
  });
}

/** Parameter tensor number `t`; `isGain` for the weights of norms. */
export function fixtureTensor(length: number, t: number, isGain = false): number[] {
  return Array.from({ length }, (_, i) => {
    const value = 0.5 * Math.cos(0.37 * i + t);
    return isGain ? 1 + 0.2 * value : value;
  });
}

/** The order in which the fixture numbers parameters: last blocks first, biases before weights. */
const ORDER = [
  ...["cross.proj.bias", "cross.proj.weight", "cross.qkv.bias", "cross.qkv.weight"],
  ...["cross.phi.weight", "cross.phi.down.weight", "cross.phi.up.weight", "cross.norm.bias", "cross.norm.weight"],
  ...["regional.0.epeg.bias", "regional.0.epeg.weight", "regional.0.proj.bias", "regional.0.proj.weight"],
  ...["regional.0.qkv.bias", "regional.0.qkv.weight", "regional.0.norm.bias", "regional.0.norm.weight"],
  ...["norm.bias", "norm.weight"],
].map((name) => `reembed.${name}`);

/** Values of the model's parameters. */
export function fixtureParameters(model: Model): Record<string, number[]> {
  const specs = new Map(model.parameters.map((spec) => [spec.name, spec]));
  const present = ORDER.filter((name) => specs.has(name));
  return Object.fromEntries(
    present.map((name, t) => [
      name,
      fixtureTensor(sizeOfShape(specs.get(name)?.shape ?? []), t, name.endsWith("norm.weight")),
    ]),
  );
}

type Build = CaptureOptions["build"];

/** The parameters of the re-embedder as inputs of a graph, and the tiles. */
function portsOf(model: Model, nTiles: number | "N"): CaptureOptions["inputs"] {
  const parameters = model.parameters.filter(({ name }) => name.startsWith("reembed."));
  return [
    { name: "tiles", dtype: "f32", shape: [nTiles, model.config.dIn] },
    ...model.sideInputs.map((name) => ({ name, dtype: "i32" as const, shape: [nTiles, 2] })),
    ...parameters.map(({ name, shape }) => ({ name, dtype: "f32" as const, shape })),
  ];
}

/** Gives `y`, the re-embedded tiles [N, C]. */
export function forwardOptions(model: Model, nTiles: number | "N"): CaptureOptions {
  return { name: "r2t", inputs: portsOf(model, nTiles), build: (tensors) => ({ y: reembed(model, tensors) }) };
}

function reembed(model: Model, tensors: Readonly<Record<string, tf.Tensor>>): tf.Tensor {
  const features = tensors.tiles as tf.Tensor2D;
  const tiles = model.stages.stem(features, tensors);
  return model.stages.body({ tiles, ...(tensors.coords && { coords: tensors.coords as tf.Tensor2D }) }, tensors).tiles;
}

/** Gives `loss` = Σ y³ and its gradient by every parameter, under the parameter's name. */
export function gradientOptions(model: Model, nTiles: number | "N"): CaptureOptions {
  const inputs = portsOf(model, nTiles);
  const names = inputs.map(({ name }) => name).filter((name) => name.startsWith("reembed."));
  const build: Build = (tensors) => {
    const lossOf = (...values: tf.Tensor[]): tf.Scalar => {
      const given = Object.fromEntries(values.map((value, i) => [names[i] ?? "", value]));
      return tf.sum(tf.pow(reembed(model, { ...tensors, ...given }), 3));
    };
    const { value, grads } = tf.valueAndGrads(lossOf)(names.map((name) => tensors[name] as tf.Tensor));
    return { loss: value, ...Object.fromEntries(names.map((name, i) => [`d.${name}`, grads[i] as tf.Tensor])) };
  };
  return { name: "r2t-gradients", inputs, build };
}

/** Feeds for the fixture's graphs. `coords` are those of a raster of 20 columns unless given. */
export function feedsOf(
  model: Model,
  values: { readonly tiles: ArrayLike<number>; readonly parameters: Numbers; readonly coords?: Int32Array },
): Record<string, ConstantTensor> {
  const f32 = (data: ArrayLike<number>, shape: readonly number[]) =>
    ({ dtype: "f32", shape, data: Float32Array.from(data) }) as const;
  const nTiles = values.tiles.length / model.config.dIn;
  const parameters = model.parameters
    .filter(({ name }) => name.startsWith("reembed."))
    .map(({ name, shape }): [string, ConstantTensor] => [name, f32(values.parameters[name] ?? [], shape)]);
  return {
    tiles: f32(values.tiles, [nTiles, model.config.dIn]),
    ...(values.coords && { coords: { dtype: "i32", shape: [nTiles, 2], data: values.coords } }),
    ...Object.fromEntries(parameters),
  };
}

/** Runs options eagerly in f64 on the fixture. */
export function runInDouble(options: CaptureOptions, feeds: () => Record<string, ConstantTensor>): Numbers {
  return inDoublePrecision((): Numbers => {
    const results = runEagerly(options, feeds());
    return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, Array.from(data)]));
  });
}

/** Captures options with their dimensions as given, runs the graph in onnxruntime, f32. */
export async function runCaptured(options: CaptureOptions, feeds: Record<string, ConstantTensor>): Promise<Numbers> {
  const results = await runGraph(captureGraph(options), feeds);
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, Array.from(data)]));
}
