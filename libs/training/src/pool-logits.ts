/**
 * Logits of a group made of those of its bags. Legend: K logits.
 */
import type { Task } from "@parfocal/models";

/** The logits of a group. */
export interface PooledLogits {
  /** `[K]`. */
  readonly logits: readonly number[];
  /** `[K]` by bag: how much of the group's logit k moves with the bag's; 1 in all. */
  readonly shares: readonly (readonly number[])[];
}

/**
 * The logits of a group by its rule. `mean`: their mean. `max`: of each logit the greatest, so that the worst slide decides about grades, numbers
 * and hazards; two competing logits are those of the bag for which the second exceeds the first by most. Of equals the first bag counts.
 */
export function poolLogits(task: Task, rule: "mean" | "max", bags: readonly ArrayLike<number>[]): PooledLogits {
  const [first = []] = bags;
  const columns = Array.from({ length: first.length }, (_, k) => bags.map((logits) => logits[k] ?? Number.NaN));
  const winners = rule === "max" ? columns.map((column) => greatest(scoresOf(task, column, columns))) : null;
  const shares = bags.map((_, bag) =>
    columns.map((_, k) => (winners === null ? 1 / bags.length : Number(winners[k] === bag))),
  );
  const logits = columns.map((column, k) =>
    column.reduce((sum, value, bag) => sum + ((shares[bag]?.[k] ?? 0) === 0 ? 0 : value * (shares[bag]?.[k] ?? 0)), 0),
  );
  return { logits, shares };
}

/** By what bags compete for a logit. */
function scoresOf(task: Task, column: readonly number[], [first = [], second = []]: readonly number[][]) {
  const isPair = task.kind === "binary" && task.link === "softmax";
  return isPair ? second.map((value, bag) => value - (first[bag] ?? Number.NaN)) : column;
}

function greatest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > (values[best] ?? Number.NaN) ? i : best), 0);
}
