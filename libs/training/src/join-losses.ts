/**
 * Losses that look at several bags at once: Cox's partial likelihood, and those of pooled groups. Legend: S opinions, K logits.
 */
import type { Task } from "@parfocal/models";
import { coxLoss } from "./cox-loss.ts";
import { hostGradient, hostLoss } from "./host-loss.ts";
import { eventOf, type Label } from "./label.ts";
import { poolLogits } from "./pool-logits.ts";
import type { GroupRule } from "./train-spec.ts";

/** A group of an update, or a bag alone. */
export interface OpinionGroup {
  readonly label: Label;
  /** `[2, K]`, see `encodeTarget`; of no use to Cox. */
  readonly target: ArrayLike<number>;
  /** `[S, K]` by bag. */
  readonly opinions: readonly ArrayLike<number>[];
}

/** How the losses of some groups change with their logits. */
interface GroupLosses {
  /** By group. */
  readonly losses: readonly number[];
  /** `[K]` by group. */
  readonly gradients: readonly (readonly number[])[];
}

/** Whether bags of an update cannot learn one by one. */
export function losesTogether(task: Task, rule: GroupRule | undefined): boolean {
  return task.kind === "cox" || rule?.kind === "mean" || rule?.kind === "max";
}

/**
 * The tangents `[S, K + 1]`, one after the other, of the joined loss at the opinions of every bag: `pulledLoss` of them adds up, over all bags, to the
 * sum of the groups' losses, with its gradient. Exact: opinions are those of the step itself, dropout included, and every opinion
 * has a loss of its own. Cox's is the likelihood of the update's groups, counted once for each.
 */
export function tangentsOf(
  task: Task,
  rule: GroupRule | undefined,
  groups: readonly OpinionGroup[],
): Float32Array<ArrayBuffer>[] {
  const nLogits = task.kind === "cox" ? 1 : (groups[0]?.target.length ?? 0) / 2;
  const nOpinions = (groups[0]?.opinions[0]?.length ?? 0) / nLogits;
  const tangents = groups.flatMap(({ opinions }) => opinions.map(() => new Float32Array(nOpinions * (nLogits + 1))));
  for (let s = 0; s < nOpinions; s++) {
    const rows = tangentsOfOpinion(
      task,
      rule,
      groups.map((group) => ({ ...group, opinions: group.opinions.map((of) => cut(of, s, nLogits)) })),
    );
    for (const [bag, row] of rows.entries()) tangents[bag]?.set(row, s * (nLogits + 1));
  }
  return tangents;
}

function cut(opinions: ArrayLike<number>, s: number, nLogits: number): number[] {
  return Array.from({ length: nLogits }, (_, k) => opinions[s * nLogits + k] ?? Number.NaN);
}

/** `[K + 1]` by bag: slopes, and what is missing to the bag's share of the loss. */
function tangentsOfOpinion(task: Task, rule: GroupRule | undefined, groups: readonly OpinionGroup[]): number[][] {
  const how = rule?.kind === "max" ? "max" : "mean";
  const pooled = groups.map(({ opinions }) => poolLogits(task, how, opinions));
  const { losses, gradients } = lossesOf(
    task,
    groups,
    pooled.map(({ logits }) => logits),
  );
  return groups.flatMap(({ opinions }, g) =>
    opinions.map((logits, bag) => {
      const slopes = Array.from(logits, (_, k) => (gradients[g]?.[k] ?? 0) * (pooled[g]?.shares[bag]?.[k] ?? 0));
      const onLine = slopes.reduce((sum, slope, k) => sum + slope * (logits[k] ?? 0), 0);
      return [...slopes, (losses[g] ?? 0) / opinions.length - onLine];
    }),
  );
}

/** Losses and gradients of groups by their pooled logits. */
function lossesOf(task: Task, groups: readonly OpinionGroup[], logits: readonly (readonly number[])[]): GroupLosses {
  if (task.kind === "cox") {
    const times = groups.map(({ label }) => eventOf(label) ?? { time: 0, isEvent: false });
    const { loss, gradient } = coxLoss(
      times,
      logits.map(([theta]) => theta ?? Number.NaN),
      task.ties,
    );
    // The update divides by the groups what it sums over them.
    return { losses: groups.map(() => loss), gradients: gradient.map((value) => [value * groups.length]) };
  }
  return {
    losses: groups.map(({ target }, g) => hostLoss(task, logits[g] ?? [], target)),
    gradients: groups.map(({ target }, g) => hostGradient(task, logits[g] ?? [], target)),
  };
}
