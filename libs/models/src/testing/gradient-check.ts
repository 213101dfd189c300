import { softmaxCrossEntropy, tf } from "@parfocal/tensor";
import type { Model, ModelOutput } from "../build-model.ts";
import { doubleFiller, type EagerBag, gradientsInDoubles, runInDoubles } from "./eager-model.ts";

/** Cross entropy of class `label` as training takes it: of the logits and of the head's second opinion, or the head's own objective. */
export function crossEntropy({ logits, auxiliary, objective }: ModelOutput, label: number): tf.Scalar {
  const target = tf.oneHot(tf.scalar(label, "int32"), logits.shape[0]).toFloat() as tf.Tensor1D;
  const lossOf = (z: tf.Tensor1D): tf.Scalar => tf.reshape(softmaxCrossEntropy(z, target), []);
  if (objective !== undefined) return objective({ isTrue: target, weights: tf.onesLike(target), lossOf });
  const loss = softmaxCrossEntropy(logits, target);
  if (auxiliary === undefined) return tf.reshape(loss, []);
  const second = softmaxCrossEntropy(auxiliary.logits, target);
  return tf.reshape(tf.add(tf.mul(loss, 1 - auxiliary.weight), tf.mul(second, auxiliary.weight)), []);
}

/** Central differences with this step err by step² · f''' in f64, which is below 1e-9 for losses near 1. */
const STEP = 1e-5;

/**
 * For every parameter the largest error of its gradient along `nDirections` directions through all of its elements, relative to the
 * slopes found (at least 1e-3 of the steepest of all, below which differences of a loss near 1 are rounding).
 */
export function gradientErrors(model: Model, bag: EagerBag, nDirections = 2): Record<string, number> {
  const { gradients } = gradientsInDoubles(model, bag, (output) => crossEntropy(output, 1));
  const lossAt = (name: string, direction: readonly number[], step: number): number => {
    const moved = (bag.weights[name] ?? []).map((value, i) => value + step * (direction[i] ?? 0));
    const shifted = { ...bag, weights: { ...bag.weights, [name]: moved } };
    return runInDoubles(model, shifted, (output) => crossEntropy(output, 1).dataSync()[0] ?? Number.NaN);
  };
  const slopes = Object.entries(gradients).flatMap(([name, gradient], p) =>
    Array.from({ length: nDirections }, (_, d) => {
      const direction = doubleFiller(gradient.length, 900 + 10 * p + d, 2);
      const found = gradient.reduce((sum, value, i) => sum + value * (direction[i] ?? 0), 0);
      const expected = (lossAt(name, direction, STEP) - lossAt(name, direction, -STEP)) / (2 * STEP);
      return { name, found, expected };
    }),
  );
  const floor = 1e-3 * Math.max(...slopes.map(({ expected }) => Math.abs(expected)));
  const errors: Record<string, number> = {};
  for (const { name, found, expected } of slopes) {
    const error = Math.abs(found - expected) / Math.max(Math.abs(expected), floor);
    errors[name] = Math.max(errors[name] ?? 0, error);
  }
  return errors;
}

/**
 * For every parameter the largest error of its gradient by single elements, all of them or, of larger tensors, `maxElements` that
 * lie evenly; relative as in {@link gradientErrors}.
 */
export function elementErrors(model: Model, bag: EagerBag, maxElements: number): Record<string, number> {
  const { gradients } = gradientsInDoubles(model, bag, (output) => crossEntropy(output, 1));
  const steepest = Math.max(...Object.values(gradients).flatMap((gradient) => gradient.map(Math.abs)));
  const lossAt = (name: string, i: number, step: number): number => {
    const moved = [...(bag.weights[name] ?? [])];
    moved[i] = (moved[i] ?? 0) + step;
    const shifted = { ...bag, weights: { ...bag.weights, [name]: moved } };
    return runInDoubles(model, shifted, (output) => crossEntropy(output, 1).dataSync()[0] ?? Number.NaN);
  };
  const errorAt = (name: string, gradient: readonly number[], i: number): number => {
    const expected = (lossAt(name, i, STEP) - lossAt(name, i, -STEP)) / (2 * STEP);
    return Math.abs((gradient[i] ?? Number.NaN) - expected) / Math.max(Math.abs(expected), 1e-3 * steepest);
  };
  const entries = Object.entries(gradients).map(([name, gradient]): [string, number] => {
    const stride = Math.max(1, gradient.length / maxElements);
    const places = Array.from({ length: Math.min(gradient.length, maxElements) }, (_, k) => Math.floor(k * stride));
    return [name, Math.max(...places.map((i) => errorAt(name, gradient, i)))];
  });
  return Object.fromEntries(entries);
}
