/**
 * What optimisers compute with. Legend: P numbers of a flat vector.
 */
import { DomainError } from "@parfocal/errors";
import { tf } from "@parfocal/tensor";

/** `factor x + y`, `[P]`. */
export function axpy(factor: number, x: tf.Tensor1D, y: tf.Tensor): tf.Tensor1D {
  return vector(tf.add(tf.mul(x, tf.scalar(factor)), y));
}

/** The step size of every number: one for all, or `[P]`. */
export function scaled(size: tf.Tensor, stepScale: tf.Tensor1D | undefined): tf.Tensor {
  return stepScale === undefined ? size : tf.mul(stepScale, size);
}

/** A tensor that is known to be a vector. */
export function vector(x: tf.Tensor | undefined): tf.Tensor1D {
  return x as tf.Tensor1D;
}

/** One of the numbers of a hyper-parameter vector. @throws {DomainError} `INTERNAL` when there is none. */
export function scalar(x: tf.Tensor | undefined): tf.Tensor {
  if (x === undefined)
    throw new DomainError("INTERNAL", "the hyper-parameter vector is shorter than the optimiser's nHyper");
  return x;
}

/** A slot of an optimiser's state, `[P]`. @throws {DomainError} `INTERNAL` when there is none. */
export function slot(slots: Readonly<Record<string, tf.Tensor1D>>, name: string): tf.Tensor1D {
  const value = slots[name];
  if (value === undefined) throw new DomainError("INTERNAL", `the optimiser's state lacks ${name}`);
  return value;
}
