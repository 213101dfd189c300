import { auroc, multiclassAuroc } from "@parfocal/metrics";
import { probabilitiesFromLogits, type Task } from "@parfocal/models";
import { hostLoss } from "./loss.ts";
import type { Label } from "./target.ts";

/** How a model does on the validation part after an epoch. */
export interface ValidationScore {
  /** Mean over bags of the plain loss. */
  readonly loss: number;
  /** Macro over the classes that have positives and negatives; null when none has. */
  readonly auroc: number | null;
}

/** A labelled bag's logits. */
export interface ScoredLogits {
  readonly label: Label;
  /** `[K]`. */
  readonly logits: ArrayLike<number>;
  /** `[2, K]` without smoothing and weights. */
  readonly target: ArrayLike<number>;
}

/** Loss and AUROC of scored bags, at least one. */
export function scoreValidation(task: Task, bags: readonly ScoredLogits[]): ValidationScore {
  const loss = bags.reduce((sum, { logits, target }) => sum + hostLoss(task, logits, target), 0) / bags.length;
  const probabilities = bags.map(({ logits }) => probabilitiesFromLogits(task, logits));
  return {
    loss,
    auroc: macroAuroc(
      task,
      bags.map(({ label }) => label),
      probabilities,
    ),
  };
}

/** AUROC of the positive class, or the mean over classes where it is defined; null when it is nowhere. */
function macroAuroc(
  task: Task,
  labels: readonly Label[],
  probabilities: readonly (readonly number[])[],
): number | null {
  // A diverging model gives NaN, which has no rank: the loss already tells it.
  if (probabilities.some((row) => row.some(Number.isNaN))) return null;
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
  const rows = labels.flatMap((label, i) => {
    const value = typeof label === "number" ? null : label[k];
    return value === null || value === undefined ? [] : [{ value, score: probabilities[i]?.[k] ?? Number.NaN }];
  });
  return rows.length === 0
    ? null
    : auroc(
        rows.map(({ value }) => value),
        rows.map(({ score }) => score),
      );
}

function meanOfDefined(values: readonly (number | null)[]): number | null {
  const defined = values.filter((value) => value !== null);
  return defined.length === 0 ? null : defined.reduce((sum, value) => sum + value, 0) / defined.length;
}
