/**
 * Labels as what the loss multiplies. Legend: K logits, C classes.
 *
 * Smoothing, class weights, positive weights and masks of missing labels are all settled here, in f64 on the host; the graph sees two rows `[2, K]` and knows none of these options.
 */
import { countLogits, hasClasses, type RegressionTask, type Task } from "@parfocal/models";
import { assertLabel, eventOf, type Label, listOf } from "./label.ts";
import { binOfTime, encodeSurvivalTarget } from "./survival-target.ts";

/** Options of {@link encodeTarget}. */
export interface TargetOptions {
  /** Share of the target spread evenly, in [0, 1). */
  readonly labelSmoothing: number;
  /** `[C]` factors of the loss by true class; of multi-label tasks the factors of the positive terms. */
  readonly classWeights: readonly number[];
}

/**
 * Targets `t` and weights `w` as rows `[2, K]` of one bag, whose loss is `sum w t (logsumexp(z) - z)` with a softmax, `sum w (softplus(z) - t z)`
 * with sigmoids and `sum w rho(z - t)` of numbers, which are standardised. Multi-label and regression average over what is known; the
 * unknown weighs 0. Of `cox` both rows are 0: its loss looks at all patients of an update, see `coxLoss`.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` as {@link assertLabel}.
 */
export function encodeTarget(task: Task, label: Label, options: TargetOptions): Float32Array<ArrayBuffer> {
  assertLabel(task, label);
  const nLogits = countLogits(task);
  const rows = new Float32Array(2 * nLogits);
  const put: PutTarget = (k, target, weight) => {
    rows[k] = target;
    rows[nLogits + k] = weight;
  };
  encodeInto(task, label, options, put);
  return rows;
}

type PutTarget = (k: number, target: number, weight: number) => void;

function encodeInto(task: Task, label: Label, options: TargetOptions, put: PutTarget): void {
  const [list, event] = [listOf(label), eventOf(label)];
  if (task.kind === "regression" && list !== null) encodeNumbers(task, list, put);
  else if (list !== null) encodeMultilabel(list, options, put);
  else if (task.kind === "survival" && event !== null) {
    const known = { bin: binOfTime(task, event.time), isCensored: !event.isEvent };
    const rows = encodeSurvivalTarget(countLogits(task), known, task.alpha);
    for (let k = 0; k < rows.length / 2; k++) put(k, rows[k] ?? 0, rows[rows.length / 2 + k] ?? 0);
  } else if (typeof label === "number") {
    if (task.kind === "ordinal") encodeOrdinal(label, task.classes.length, options, put);
    else if (task.link === "softmax") encodeClass(label, task.classes.length, options, put);
    else encodeSingleLogit(label, options, put);
  }
}

/** Of each cut the probability that the class lies above it, by the same smoothing as other classes have. */
function encodeOrdinal(label: number, nClasses: number, options: TargetOptions, put: PutTarget): void {
  const { labelSmoothing, classWeights } = options;
  for (let k = 0; k < nClasses - 1; k++) {
    const spread = (labelSmoothing * (nClasses - 1 - k)) / nClasses;
    put(k, Number(label > k) * (1 - labelSmoothing) + spread, classWeights[label] ?? 1);
  }
}

function encodeNumbers(task: RegressionTask, numbers: readonly (number | null)[], put: PutTarget): void {
  const nKnown = numbers.filter((value) => value !== null).length;
  for (const [k, value] of numbers.entries()) {
    if (value !== null) put(k, (value - (task.center[k] ?? 0)) / (task.scale[k] ?? 1), 1 / nKnown);
  }
}

function encodeClass(label: number, nClasses: number, options: TargetOptions, put: PutTarget): void {
  const weight = options.classWeights[label] ?? 1;
  const rest = options.labelSmoothing / nClasses;
  for (let k = 0; k < nClasses; k++) put(k, k === label ? 1 - options.labelSmoothing + rest : rest, weight);
}

function encodeSingleLogit(label: number, options: TargetOptions, put: PutTarget): void {
  put(0, smoothed(label, options.labelSmoothing), options.classWeights[label] ?? 1);
}

function encodeMultilabel(label: readonly (number | null)[], options: TargetOptions, put: PutTarget): void {
  const nKnown = label.filter((value) => value !== null).length;
  for (const [k, value] of label.entries()) {
    if (value === null) continue;
    const q = smoothed(value, options.labelSmoothing);
    const positive = (options.classWeights[k] ?? 1) * q;
    const weight = positive + 1 - q;
    put(k, positive / weight, weight / nKnown);
  }
}

/** A binary label moved towards one half. */
function smoothed(label: number, smoothing: number): number {
  return label * (1 - smoothing) + smoothing / 2;
}

/** Bounds of positive weights: rarer labels than 1 in 11 would otherwise make single bags dominate an epoch. */
const POSITIVE_WEIGHT_BOUNDS = [0.1, 10] as const;

/**
 * `[C]` class weights from the labels of the training part. `none`: ones. `balanced`: inversely to the class's frequency
 * and 1 on average over the bags; multi-label: negatives over positives, clipped to [0.1, 10].
 */
export function fitClassWeights(task: Task, labels: readonly Label[], mode: "none" | "balanced"): number[] {
  if (mode === "none" || !hasClasses(task)) return task.classes.map(() => 1);
  if (task.kind === "multilabel") return task.classes.map((_, k) => positiveWeight(labels, k));
  const counts = task.classes.map((_, k) => labels.filter((label) => label === k).length);
  const nPresent = counts.filter((count) => count > 0).length;
  return counts.map((count) => (count === 0 ? 0 : labels.length / (nPresent * count)));
}

function positiveWeight(labels: readonly Label[], k: number): number {
  const known = labels.map((label) => listOf(label)?.[k] ?? null).filter((value) => value !== null);
  const nPositive = known.filter((value) => value === 1).length;
  const [low, high] = POSITIVE_WEIGHT_BOUNDS;
  return nPositive === 0 ? high : Math.min(high, Math.max(low, (known.length - nPositive) / nPositive));
}
