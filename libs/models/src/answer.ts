/**
 * What a model says, made of its logits. Legend: K classes, T numbers, B intervals of time.
 */
import { tf } from "@parfocal/tensor";
import { hasClasses, type RegressionTask, type Task } from "./task.ts";

/** Name of the serving graph's output that holds the answer, by the kind of the task. */
export type AnswerName = "probabilities" | "values" | "survival" | "risk";

/**
 * What the serving graph of a task gives beside its logits: `probabilities` `[K]` of classes, `values` `[T]` in the labels' own units,
 * `survival` `[B]` at the end of each interval, or `risk` `[1]`, the logarithm of Cox's hazard ratio.
 */
export function answerName(task: Task): AnswerName {
  if (hasClasses(task) || task.kind === "embedding") return "probabilities";
  if (task.kind === "regression") return "values";
  return task.kind === "survival" ? "survival" : "risk";
}

/** The answer from the logits of one bag, in f64: `probabilities`, `values`, `survival` or `risk`, see {@link answerName}. */
export function answerFromLogits(task: Task, logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  switch (task.kind) {
    case "regression":
      return values.map((z, t) => centerOf(task, t) + scaleOf(task, t) * z);
    case "survival":
      return survivalOf(values);
    case "cox":
      return values;
    default:
      return probabilitiesFromLogits(task, values);
  }
}

/**
 * Probabilities `[K]` of the classes from the logits of one bag, in f64. Softmax is shifted by its maximum; those of an ordinal task are
 * differences of neighbouring sigmoids.
 */
export function probabilitiesFromLogits(task: Task, logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  if (task.link === "softmax") {
    const max = Math.max(...values);
    const powers = values.map((value) => Math.exp(value - max));
    const sum = powers.reduce((total, value) => total + value, 0);
    return powers.map((value) => value / sum);
  }
  const sigmoids = values.map((value) => 1 / (1 + Math.exp(-value)));
  if (task.kind === "ordinal") return [1, ...sigmoids].map((above, k) => above - (sigmoids[k] ?? 0));
  const [positive] = sigmoids;
  return task.kind === "binary" && positive !== undefined ? [1 - positive, positive] : sigmoids;
}

/** The same as {@link answerFromLogits}, as a tensor of the serving graph in f32. */
export function answerTensor(task: Task, logits: tf.Tensor1D): tf.Tensor1D {
  switch (task.kind) {
    case "regression":
      return scaled(task, logits);
    case "survival":
      return tf.exp(sumsUpTo(tf.logSigmoid(tf.neg(logits))));
    case "cox":
      return logits;
    default:
      return probabilityTensor(task, logits);
  }
}

/** Probabilities `[K]` from logits; the same function as {@link probabilitiesFromLogits}, in f32. */
export function probabilityTensor(task: Task, logits: tf.Tensor1D): tf.Tensor1D {
  if (task.link === "softmax") return tf.softmax(logits);
  const above = tf.sigmoid(logits);
  const below = tf.sigmoid(tf.neg(logits));
  if (task.kind === "binary") return tf.concat1d([below, above]);
  if (task.kind !== "ordinal") return above;
  const nAbove = logits.shape[0];
  const inner = tf.sub<tf.Tensor1D>(tf.slice(above, [0], [nAbove - 1]), tf.slice(above, [1], [nAbove - 1]));
  const ends = [tf.slice(below, [0], [1]), tf.slice(above, [nAbove - 1], [1])] as [tf.Tensor1D, tf.Tensor1D];
  return tf.concat1d(nAbove === 1 ? ends : [ends[0], inner, ends[1]]);
}

/** `[B]`: survival at the end of each interval, the product of the chances to pass all up to it. */
function survivalOf(logits: readonly number[]): number[] {
  let survival = 1;
  return logits.map((z) => {
    survival /= 1 + Math.exp(z);
    return survival;
  });
}

/** Sums of the elements up to each, `[B]`. */
function sumsUpTo(x: tf.Tensor1D): tf.Tensor1D {
  const size = x.shape[0];
  return tf.stack(Array.from({ length: size }, (_, k) => tf.sum(tf.slice(x, [0], [k + 1])))) as tf.Tensor1D;
}

/** Numbers in the labels' own units. */
function scaled(task: RegressionTask, logits: tf.Tensor1D): tf.Tensor1D {
  const column = (of: (task: RegressionTask, t: number) => number) => task.classes.map((_, t) => of(task, t));
  return tf.add(tf.mul(logits, tf.tensor1d(column(scaleOf))), tf.tensor1d(column(centerOf)));
}

function centerOf({ center }: RegressionTask, t: number): number {
  return center[t] ?? 0;
}

function scaleOf({ scale }: RegressionTask, t: number): number {
  return scale[t] ?? 1;
}
