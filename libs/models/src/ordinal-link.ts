/**
 * One score for classes that have an order. Legend: K classes.
 */
import { tf } from "@parfocal/tensor";
import type { HeadOutput, StageDeclaration } from "./model.ts";
import type { Task } from "./task.ts";

/** What an ordinal task adds to the head: `gaps` `[K - 2]` between neighbouring cuts, as numbers whose softplus they are. */
export function declareOrdinal(task: Task): StageDeclaration {
  const nGaps = task.kind === "ordinal" ? task.classes.length - 2 : 0;
  if (nGaps === 0) return { parameters: [], dropoutSites: [] };
  return {
    parameters: [{ name: "gaps", shape: [nGaps], init: { kind: "zeros" }, decay: false, isTrainable: true }],
    dropoutSites: [],
  };
}

/**
 * Logits `[K - 1]` of "above class k" from a score `[1]`: score less cut k. Cuts ascend by the softplus of the gaps and have the mean 0, so
 * probabilities of classes are never negative; the head's bias moves them together.
 *
 * Source: McCullagh 1980, proportional odds; trained as K - 1 binary questions with one score, Cao et al. 2020 (CORAL). Differs: cuts
 * are ordered by construction, not only at the optimum.
 */
export function ordinalLogits(task: Task, score: tf.Tensor1D, gaps: tf.Tensor1D | undefined): tf.Tensor1D {
  if (gaps === undefined) return score;
  const nCuts = task.classes.length - 1;
  const sums = tf.tensor2d(
    Array.from({ length: nCuts - 1 }, (_, j) =>
      Array.from({ length: nCuts }, (_, k) => Number(k > j) - (nCuts - 1 - j) / nCuts),
    ),
  );
  const cuts: tf.Tensor1D = tf.reshape(tf.matMul(tf.reshape(tf.softplus(gaps), [1, nCuts - 1]), sums), [nCuts]);
  return tf.sub(score, cuts);
}

/** A head's output with every set of scores turned into logits. */
export function withLogits(output: HeadOutput, logitsOf: (scores: tf.Tensor1D) => tf.Tensor1D): HeadOutput {
  const { logits, auxiliary, objective } = output;
  return {
    ...output,
    logits: logitsOf(logits),
    ...(auxiliary && { auxiliary: { ...auxiliary, logits: logitsOf(auxiliary.logits) } }),
    ...(objective && {
      objective: (target) => objective({ ...target, lossOf: (scores) => target.lossOf(logitsOf(scores)) }),
    }),
  };
}
