import type { ParameterSpec, Weights } from "../parameter.ts";
import { sizeOfShape } from "../parameter.ts";

/** The specifications' deterministic filler, exact in doubles: `((31 k^2 + 7919 k + 104729 seed + 13) mod 1009) / 1009 - 0.5`. */
export function fillerValue(k: number, seed: number): number {
  return ((31 * k * k + 7919 * k + 104_729 * seed + 13) % 1009) / 1009 - 0.5;
}

/** A tensor `scale * filler`, row-major f32. */
export function filler(shape: readonly number[], seed: number, scale = 1): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: sizeOfShape(shape) }, (_, k) => scale * fillerValue(k, seed));
}

/** Weights of a model from the filler, parameter i with seed `500 + i`. */
export function fillerWeights(specs: readonly ParameterSpec[], scale = 1): Weights {
  return Object.fromEntries(specs.map(({ name, shape }, i) => [name, filler(shape, 500 + i, scale)]));
}
