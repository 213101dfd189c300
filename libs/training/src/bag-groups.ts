import { DomainError } from "@parfocal/errors";
import { probabilitiesFromLogits, type Task } from "@parfocal/models";
import { patientsOf } from "./assign-parts.ts";
import { hostLoss } from "./host-loss.ts";
import type { LabelledBag } from "./job.ts";
import type { Label } from "./label.ts";
import { poolLogits } from "./pool-logits.ts";
import { encodeTarget } from "./target.ts";
import type { GroupRule } from "./train-spec.ts";

/** Rows of bags that share a label, in their order; at least one. */
export type BagGroup = readonly number[];

/** Groups by part, which add up to the part's rows. */
export interface PartGroups {
  readonly train: readonly BagGroup[];
  readonly validation: readonly BagGroup[];
  readonly test: readonly BagGroup[];
}

/**
 * The groups that `rows` fall into, in the order of their first bags: the bags of a patient that name the same group. With
 * no rule every bag is a group of its own.
 */
export function groupBags(
  bags: readonly Pick<LabelledBag, "patient" | "group">[],
  rows: readonly number[],
  rule: GroupRule | undefined,
): BagGroup[] {
  if (rule === undefined) return rows.map((row) => [row]);
  const patients = patientsOf(bags);
  const groups = new Map<string, number[]>();
  for (const row of rows) {
    const key = JSON.stringify([patients[row], bags[row]?.group ?? ""]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return [...groups.values()];
}

/**
 * Checks that groups can be learnt from.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for `min-loss` when the task is not binary, or for a group whose bags have different labels.
 */
export function assertGroupsFit(
  task: Task,
  rule: GroupRule,
  groups: readonly BagGroup[],
  labels: readonly Label[],
): void {
  if (rule.kind === "min-loss" && task.kind !== "binary") {
    const message = `groups.kind is min-loss, which takes a binary task; this one is ${task.kind}`;
    throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "groups.kind" } });
  }
  for (const group of groups) {
    const [first, ...others] = group.map((row) => labels[row]);
    const other = others.find((label) => shown(label) !== shown(first));
    if (other === undefined) continue;
    throw new DomainError(
      "INVALID_ARGUMENT",
      `a group of ${group.length} bags has the labels ${shown(first)} and ${shown(other)}; it must have one`,
    );
  }
}

function shown(label: Label | undefined): string {
  return JSON.stringify(label ?? null);
}

/** The label that the bags of a group share. */
export function labelOfGroup(bags: readonly Pick<LabelledBag, "label">[], group: BagGroup): Label | undefined {
  return bags[group[0] ?? -1]?.label;
}

/** Whether all bags of a group learn, with equal shares. */
export function doAllLearn(rule: GroupRule | undefined, label: Label | undefined): boolean {
  return rule?.kind === "min-loss" && rule.negatives === "mean" && label === 0;
}

/**
 * The bag of a group that learns, by the plain losses of its bags: the least, or of negative groups under `max` the greatest.
 * Among equals the first.
 *
 * Source: Zimmermann et al. 2026, eq. 9. Differs: losses are neither smoothed nor weighted, as smoothing gives the positive
 * loss a minimum short of certainty and the most certain bag would lose to a weaker one.
 */
export function learningBag(
  group: BagGroup,
  losses: readonly number[],
  rule: GroupRule | undefined,
  label: Label | undefined,
): number {
  const sign = label === 0 && rule?.kind === "min-loss" && rule.negatives === "max" ? -1 : 1;
  const best = losses.reduce((at, loss, i) => (sign * loss < sign * (losses[at] ?? Number.NaN) ? i : at), 0);
  return group[best] ?? -1;
}

/** The loss by which {@link learningBag} chooses, of one bag's logits `[K]`: neither smoothed nor weighted. */
export function plainLoss(task: Task, label: Label, logits: ArrayLike<number>): number {
  return hostLoss(task, logits, encodeTarget(task, label, { labelSmoothing: 0, classWeights: [] }));
}

/** Position in a group of the bag that speaks for it: the one most probably positive, among equals the first. */
export function speaker(probabilities: readonly (readonly number[])[]): number {
  const score = (i: number) => probabilities[i]?.[1] ?? Number.NaN;
  return probabilities.reduce((best, _, i) => (score(i) > score(best) ? i : best), 0);
}

/** The logits `[K]` by which a group is decided: pooled as its rule says, else those of the bag that speaks for it. */
export function logitsOfGroup(
  task: Task,
  rule: GroupRule | undefined,
  bags: readonly ArrayLike<number>[],
): ArrayLike<number> {
  const [first = []] = bags;
  if (bags.length === 1) return first;
  if (rule?.kind === "mean" || rule?.kind === "max") return poolLogits(task, rule.kind, bags).logits;
  return bags[speaker(bags.map((of) => probabilitiesFromLogits(task, of)))] ?? first;
}

/** Mean over the bags of a group, `[C]`. */
export function meanProbabilities(probabilities: readonly (readonly number[])[]): number[] {
  const [first = []] = probabilities;
  return first.map((_, c) => probabilities.reduce((sum, of) => sum + (of[c] ?? Number.NaN), 0) / probabilities.length);
}
