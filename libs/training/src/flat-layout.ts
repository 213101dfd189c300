import { DomainError } from "@parfocal/errors";
import { type ParameterSpec, type ParameterTensors, sizeOfShape, type Weights } from "@parfocal/models";
import { tf } from "@parfocal/tensor";

/** Which parameters lie where in the two flat vectors of a training: `weights` `[P]` and `fixed` `[F]`. */
export interface FlatLayout {
  /** Trained, matrices (which decay) before vectors (which do not). */
  readonly trainable: readonly ParameterSpec[];
  /** Fitted once, never moved. */
  readonly fixed: readonly ParameterSpec[];
  /** P. */
  readonly nTrainable: number;
  /** How many of the P numbers, from the first, decoupled decay touches. */
  readonly nDecayed: number;
  /** F. */
  readonly nFixed: number;
}

/** The layout of a model's parameters. Depends on the declarations alone. */
export function flatLayout(parameters: readonly ParameterSpec[]): FlatLayout {
  const trained = parameters.filter((spec) => spec.isTrainable);
  const decayed = trained.filter((spec) => spec.decay);
  const trainable = [...decayed, ...trained.filter((spec) => !spec.decay)];
  const fixed = parameters.filter((spec) => !spec.isTrainable);
  const total = (specs: readonly ParameterSpec[]) => specs.reduce((sum, spec) => sum + sizeOfShape(spec.shape), 0);
  return { trainable, fixed, nTrainable: total(trainable), nDecayed: total(decayed), nFixed: total(fixed) };
}

/**
 * Values of `specs` end to end, in their order.
 *
 * @throws {DomainError} `INTERNAL` when a value is missing.
 */
export function flattenWeights(specs: readonly ParameterSpec[], weights: Weights): Float32Array<ArrayBuffer> {
  const flat = new Float32Array(specs.reduce((sum, spec) => sum + sizeOfShape(spec.shape), 0));
  let offset = 0;
  for (const { name } of specs) {
    const values = weights[name];
    if (values === undefined) throw new DomainError("INTERNAL", `no value for parameter ${name}`);
    flat.set(values, offset);
    offset += values.length;
  }
  return flat;
}

/** The inverse of {@link flattenWeights}; copies. */
export function unflattenWeights(specs: readonly ParameterSpec[], flat: Float32Array): Weights {
  let offset = 0;
  const entries = specs.map(({ name, shape }): [string, Float32Array<ArrayBuffer>] => {
    const size = sizeOfShape(shape);
    offset += size;
    return [name, flat.slice(offset - size, offset)];
  });
  return Object.fromEntries(entries);
}

/** The parameters of `specs` as tensors, cut from a flat tensor. */
export function cutParameters(specs: readonly ParameterSpec[], flat: tf.Tensor1D): ParameterTensors {
  if (specs.length === 0) return {};
  const sizes = specs.map((spec) => sizeOfShape(spec.shape));
  const pieces = tf.split(flat, sizes);
  return Object.fromEntries(specs.map((spec, i) => [spec.name, tf.reshape(pieces[i] as tf.Tensor, [...spec.shape])]));
}

/** Tensors end to end as one vector. */
export function joinFlat(tensors: readonly tf.Tensor[]): tf.Tensor1D {
  return tf.concat1d(tensors.map((tensor) => tf.reshape(tensor, [tensor.size])));
}
