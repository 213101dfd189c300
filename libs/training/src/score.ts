import {
  auroc,
  confusionMatrix,
  harrellConcordance,
  medianClass,
  multiclassAuroc,
  regressionMetrics,
  weightedKappa,
} from "@parfocal/metrics";
import { answerFromLogits, hasClasses, type Task } from "@parfocal/models";
import { coxLoss } from "./cox-loss.ts";
import { hostLoss } from "./host-loss.ts";
import { eventOf, type Label, listOf } from "./label.ts";
import { survivalRisk } from "./survival-target.ts";

/** How a model does on the validation part after an epoch. */
export interface ValidationScore {
  /** Mean over bags of the plain loss; Cox: of all bags together. */
  readonly loss: number;
  /** The figure of the task, larger is better; null when it is undefined. */
  readonly figure: number | null;
}

/** A labelled bag's logits. */
export interface ScoredLogits {
  readonly label: Label;
  /** `[K]`. */
  readonly logits: ArrayLike<number>;
  /** `[2, K]` without smoothing and weights. */
  readonly target: ArrayLike<number>;
}

/** Names of the figures that tasks are judged by while they train. */
export type ScoreName = "auroc" | "quadratic_kappa" | "r2" | "c_index";

/**
 * The figure of a task: AUROC (macro over the classes that have positives and negatives), quadratic kappa of ordinal classes, R² (mean
 * over the numbers), Harrell's C-index of survival.
 */
export function scoreName({ kind }: Pick<Task, "kind">): ScoreName {
  if (kind === "ordinal") return "quadratic_kappa";
  if (kind === "regression") return "r2";
  return kind === "survival" || kind === "cox" ? "c_index" : "auroc";
}

/** Loss and figure of scored bags, at least one. */
export function scoreValidation(task: Task, bags: readonly ScoredLogits[]): ValidationScore {
  // A diverging model gives NaN, which has no rank: the loss already tells it.
  const areNumbers = bags.every(({ logits }) => Array.from(logits).every((value) => !Number.isNaN(value)));
  return { loss: lossOf(task, bags), figure: areNumbers ? figureOf(task, bags) : null };
}

function lossOf(task: Task, bags: readonly ScoredLogits[]): number {
  if (task.kind !== "cox")
    return bags.reduce((sum, { logits, target }) => sum + hostLoss(task, logits, target), 0) / bags.length;
  const theta = bags.map(({ logits }) => logits[0] ?? Number.NaN);
  return coxLoss(
    bags.flatMap(({ label }) => eventOf(label) ?? []),
    theta,
    task.ties,
  ).loss;
}

function figureOf(task: Task, bags: readonly ScoredLogits[]): number | null {
  const labels = bags.map(({ label }) => label);
  const answers = bags.map(({ logits }) => answerFromLogits(task, logits));
  if (task.kind === "ordinal") return kappaOf(task, labels, answers);
  if (task.kind === "regression") return meanOfDefined(task.classes.map((_, k) => determination(labels, answers, k)));
  if (hasClasses(task)) return macroAuroc(task, labels, answers);
  return concordanceOf(
    labels,
    bags.map(({ logits }) => riskFromLogits(task, logits)),
  );
}

/** What ranks patients, larger is sooner: Cox's log risk, or minus the sum of the survivals at the ends of the intervals. */
export function riskFromLogits({ kind }: Pick<Task, "kind">, logits: ArrayLike<number>): number {
  return kind === "cox" ? (logits[0] ?? Number.NaN) : survivalRisk(logits);
}

function kappaOf({ classes }: Task, labels: readonly Label[], probabilities: readonly (readonly number[])[]) {
  const truth = labels.map(Number);
  return weightedKappa(confusionMatrix(truth, probabilities.map(medianClass), classes.length));
}

function determination(labels: readonly Label[], values: readonly (readonly number[])[], k: number): number | null {
  const known = knownOf(labels, values, k);
  const [truth, predicted] = [known.map(({ value }) => value), known.map(({ score }) => score)];
  return known.length === 0 ? null : regressionMetrics(truth, predicted).r2;
}

function concordanceOf(labels: readonly Label[], risks: readonly number[]): number | null {
  const times = labels.flatMap((label) => eventOf(label) ?? []);
  const outcomes = { times: times.map(({ time }) => time), events: times.map(({ isEvent }) => Number(isEvent)) };
  return harrellConcordance(outcomes, risks).index;
}

/** AUROC of the positive class, or the mean over classes where it is defined; null when it is nowhere. */
function macroAuroc(
  task: Task,
  labels: readonly Label[],
  probabilities: readonly (readonly number[])[],
): number | null {
  if (task.kind === "multilabel")
    return meanOfDefined(task.classes.map((_, k) => labelAuroc(labels, probabilities, k)));
  const classes = labels.map((label) => (typeof label === "number" ? label : -1));
  if (task.kind === "multiclass") return multiclassAuroc(classes, probabilities, task.classes.length).macro;
  return auroc(
    classes,
    probabilities.map((row) => row[1] ?? Number.NaN),
  );
}

function labelAuroc(labels: readonly Label[], probabilities: readonly (readonly number[])[], k: number): number | null {
  const rows = knownOf(labels, probabilities, k);
  return rows.length === 0
    ? null
    : auroc(
        rows.map(({ value }) => value),
        rows.map(({ score }) => score),
      );
}

/** Entry k of the labels that know it, beside what the model says of it. */
function knownOf(labels: readonly Label[], answers: readonly (readonly number[])[], k: number) {
  return labels.flatMap((label, i) => {
    const value = listOf(label)?.[k] ?? null;
    return value === null ? [] : [{ value, score: answers[i]?.[k] ?? Number.NaN }];
  });
}

function meanOfDefined(values: readonly (number | null)[]): number | null {
  const defined = values.filter((value) => value !== null);
  return defined.length === 0 ? null : defined.reduce((sum, value) => sum + value, 0) / defined.length;
}
