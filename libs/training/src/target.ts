/**
 * Labels as what the loss multiplies. Legend: K logits, C classes.
 *
 * Smoothing, class weights, positive weights and masks of missing labels are all settled here, in f64 on the host; the graph sees two rows `[2, K]` and knows none of these options.
 */
import { DomainError } from "@parfocal/errors";
import { countLogits, type Task } from "@parfocal/models";

/** What is known of a bag: the index of its class, or in multi-label tasks one entry per class: 1, 0 or null (unknown). */
export type Label = number | readonly (number | null)[];

/** Options of {@link encodeTarget}. */
export interface TargetOptions {
  /** Share of the target spread evenly, in [0, 1). */
  readonly labelSmoothing: number;
  /** `[C]` factors of the loss by true class; of multi-label tasks the factors of the positive terms. */
  readonly classWeights: readonly number[];
}

/**
 * Targets `t` and weights `w` as rows `[2, K]` of one bag, whose loss is `sum w t (logsumexp(z) - z)` with a softmax and
 * `sum w (softplus(z) - t z)` with sigmoids. Multi-label averages over the labels that are known; unknown ones weigh 0.
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
  if (typeof label !== "number") encodeMultilabel(label, options, put);
  else if (task.link === "softmax") encodeClass(label, nLogits, options, put);
  else encodeSingleLogit(label, options, put);
  return rows;
}

type PutTarget = (k: number, target: number, weight: number) => void;

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

/**
 * Checks that a label is one of the task's.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a class index outside [0, C), a list of another length than C, or a
 * multi-label list without any known entry.
 */
export function assertLabel(task: Task, label: Label): void {
  const nClasses = task.classes.length;
  const isList = typeof label !== "number";
  if (isList !== (task.kind === "multilabel")) {
    const wanted = task.kind === "multilabel" ? "a list of labels" : "a class index";
    throw new DomainError("INVALID_ARGUMENT", `a ${task.kind} task needs ${wanted} for every bag`);
  }
  if (!isList) {
    if (Number.isInteger(label) && label >= 0 && label < nClasses) return;
    throw new DomainError("INVALID_ARGUMENT", `class index is ${label}; it must be a whole number below ${nClasses}`);
  }
  if (label.length !== nClasses) {
    throw new DomainError("INVALID_ARGUMENT", `a bag has ${label.length} labels; the task has ${nClasses} classes`);
  }
  const bad = label.find((value) => value !== null && value !== 0 && value !== 1);
  if (bad !== undefined) throw new DomainError("INVALID_ARGUMENT", `a label is ${bad}; it must be 0, 1 or null`);
  if (label.every((value) => value === null)) {
    throw new DomainError("INVALID_ARGUMENT", "a bag has no known label; give at least one or leave the bag out");
  }
}

/** Bounds of positive weights: rarer labels than 1 in 11 would otherwise make single bags dominate an epoch. */
const POSITIVE_WEIGHT_BOUNDS = [0.1, 10] as const;

/**
 * `[C]` class weights from the labels of the training part. `none`: ones. `balanced`: inversely to the class's frequency
 * and 1 on average over the bags; multi-label: negatives over positives, clipped to [0.1, 10].
 */
export function fitClassWeights(task: Task, labels: readonly Label[], mode: "none" | "balanced"): number[] {
  if (mode === "none") return task.classes.map(() => 1);
  if (task.kind === "multilabel") return task.classes.map((_, k) => positiveWeight(labels, k));
  const counts = task.classes.map((_, k) => labels.filter((label) => label === k).length);
  const nPresent = counts.filter((count) => count > 0).length;
  return counts.map((count) => (count === 0 ? 0 : labels.length / (nPresent * count)));
}

function positiveWeight(labels: readonly Label[], k: number): number {
  const known = labels.map((label) => (typeof label === "number" ? null : label[k])).filter((value) => value !== null);
  const nPositive = known.filter((value) => value === 1).length;
  const [low, high] = POSITIVE_WEIGHT_BOUNDS;
  return nPositive === 0 ? high : Math.min(high, Math.max(low, (known.length - nPositive) / nPositive));
}
