/**
 * Losses in f64 on the host. Legend: K logits `z`, targets `t`, weights `w`.
 */
import { DomainError } from "@parfocal/errors";
import type { RegressionTask, SurvivalTask, Task } from "@parfocal/models";
import { logSumExp, softplus } from "./host-math.ts";
import { hostSurvivalCrossEntropy } from "./survival-cross-entropy.ts";

/** One logit with its target and weight. */
interface Term {
  readonly z: number;
  readonly t: number;
  readonly w: number;
}

/** `bagLoss` in f64: what validation reports, and its oracle. @throws {DomainError} `INTERNAL` for Cox, which has no loss of one bag. */
export function hostLoss(task: Task, logits: ArrayLike<number>, target: ArrayLike<number>): number {
  if (task.kind === "survival" && task.loss === "ce") return survivalOf(task, logits, target).loss;
  const terms = termsOf(logits, target);
  const total = (of: (term: Term) => number) => terms.reduce((sum, term) => sum + term.w * of(term), 0);
  if (task.link === "sigmoid") return total(({ z, t }) => softplus(z) - t * z);
  if (task.link === "identity") return total(({ z, t }) => distance(regression(task), z - t));
  const logSum = logSumExp(terms.map(({ z }) => z));
  return total(({ z, t }) => t * (logSum - z));
}

/** The gradient of {@link hostLoss} by the logits, `[K]`. */
export function hostGradient(task: Task, logits: ArrayLike<number>, target: ArrayLike<number>): number[] {
  if (task.kind === "survival" && task.loss === "ce") return [...survivalOf(task, logits, target).gradient];
  const terms = termsOf(logits, target);
  if (task.link === "sigmoid") return terms.map(({ z, t, w }) => w * (1 / (1 + Math.exp(-z)) - t));
  if (task.link === "identity") return terms.map(({ z, t, w }) => w * slope(regression(task), z - t));
  const logSum = logSumExp(terms.map(({ z }) => z));
  const mass = terms.reduce((sum, { t, w }) => sum + w * t, 0);
  return terms.map(({ z, t, w }) => mass * Math.exp(z - logSum) - w * t);
}

function termsOf(logits: ArrayLike<number>, target: ArrayLike<number>): Term[] {
  return Array.from(logits, (z, k) => ({ z, t: target[k] ?? 0, w: target[logits.length + k] ?? 0 }));
}

function survivalOf({ alpha }: SurvivalTask, logits: ArrayLike<number>, target: ArrayLike<number>) {
  const terms = termsOf(logits, target);
  const told = { targets: terms.map(({ t }) => t), weights: terms.map(({ w }) => w) };
  return hostSurvivalCrossEntropy(
    terms.map(({ z }) => z),
    told,
    alpha,
  );
}

function regression(task: Task): RegressionTask {
  if (task.kind === "regression") return task;
  throw new DomainError("INTERNAL", `a ${task.kind} task has no loss of one bag`);
}

function distance({ loss, delta }: RegressionTask, residual: number): number {
  if (loss === "mse") return residual ** 2;
  const inner = Math.min(Math.abs(residual), delta);
  return inner ** 2 / 2 + delta * (Math.abs(residual) - inner);
}

function slope({ loss, delta }: RegressionTask, residual: number): number {
  return loss === "mse" ? 2 * residual : Math.max(-delta, Math.min(delta, residual));
}
