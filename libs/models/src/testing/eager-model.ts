import { runEagerly, tf } from "@parfocal/tensor";
import type { Model, ModelOutput, ParameterTensors } from "../build-model.ts";
import { inDoublePrecision } from "./double-precision.ts";
import { fillerValue } from "./filler.ts";

// Legend: N tiles, D features.

/** Numbers in f64, row-major. */
export type Doubles = readonly number[];

/** A tensor of the specifications' filler in f64, `scale` times it. */
export function doubleFiller(size: number, seed: number, scale = 1): number[] {
  return Array.from({ length: size }, (_, k) => scale * fillerValue(k, seed));
}

/** One bag and the values of the parameters, all in f64. */
export interface EagerBag {
  /** `[N, D]`. */
  readonly features: Doubles;
  /** `[N, 2]`. */
  readonly grid?: Doubles;
  readonly weights: Readonly<Record<string, Doubles>>;
}

/** What `read` takes from a model's eager output without dropout, all in f64. */
export function runInDoubles<T>(model: Model, bag: EagerBag, read: (output: ModelOutput) => T): T {
  return withTensors(model, bag, (input, parameters) => read(model.forward(input, parameters)));
}

/** The re-embedded tiles of a bag, row-major. */
export function tilesInDoubles(model: Model, bag: EagerBag): number[] {
  return withTensors(model, bag, ({ features, ...sides }, parameters) => {
    const rows = model.stages.stem(features, parameters);
    return Array.from(model.stages.body({ ...sides, tiles: rows }, parameters).tiles.dataSync());
  });
}

/** What the stem of a model's re-embedder makes of a bag, row-major. */
export function stemInDoubles(model: Model, bag: EagerBag): number[] {
  return withTensors(model, bag, ({ features }, parameters) =>
    Array.from(model.stages.stem(features, parameters).dataSync()),
  );
}

/** The gradient by every parameter of the scalar that `lossOf` makes of a model's output. */
export function gradientsInDoubles(
  model: Model,
  bag: EagerBag,
  lossOf: (output: ModelOutput) => tf.Scalar,
): { loss: number; gradients: Record<string, number[]> } {
  return withTensors(model, bag, (input, parameters) => {
    const names = model.parameters.map(({ name }) => name);
    const run = (...values: tf.Tensor[]): tf.Scalar =>
      lossOf(model.forward(input, Object.fromEntries(values.map((value, i) => [names[i] ?? "", value]))));
    const { value, grads } = tf.valueAndGrads(run)(names.map((name) => parameters[name] as tf.Tensor));
    const gradients = names.map((name, i): [string, number[]] => [name, Array.from(grads[i]?.dataSync() ?? [])]);
    return { loss: value.dataSync()[0] ?? Number.NaN, gradients: Object.fromEntries(gradients) };
  });
}

type Input = { readonly features: tf.Tensor2D; readonly grid?: tf.Tensor2D };

function withTensors<T>(model: Model, bag: EagerBag, work: (input: Input, parameters: ParameterTensors) => T): T {
  let result: { readonly value: T } | undefined;
  const build = () => {
    const features = tf.tensor2d([...bag.features], [bag.features.length / model.config.dIn, model.config.dIn]);
    const grid = bag.grid && tf.tensor2d([...bag.grid], [bag.grid.length / 2, 2], "int32");
    const parameters = model.parameters.map(({ name, shape }): [string, tf.Tensor] => [
      name,
      tf.tensor([...(bag.weights[name] ?? [])], [...shape], "float32"),
    ]);
    result = { value: work({ features, ...(grid && { grid }) }, Object.fromEntries(parameters)) };
    return { done: tf.scalar(1) };
  };
  inDoublePrecision(() => runEagerly({ name: "doubles", inputs: [], build }, {}));
  if (result === undefined) throw new Error("the eager run gave nothing");
  return result.value;
}
