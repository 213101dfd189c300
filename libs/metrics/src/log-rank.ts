import { DomainError } from "@parfocal/errors";
import { chiSquaredP } from "./chi-squared.ts";
import { assertClassLabels } from "./one-vs-rest.ts";
import { groupByTime, type SurvivalOutcomes } from "./survival-outcomes.ts";

/** Outcome of a log-rank test. */
export interface LogRankTest {
  /** Chi-squared. */
  readonly statistic: number;
  /** Groups with any expected event, less one. */
  readonly degrees: number;
  readonly pValue: number;
  /** Events seen in each group, `[G]`. */
  readonly observed: readonly number[];
  /** Events that it would have seen with the hazard of all together, `[G]`. */
  readonly expected: readonly number[];
}

/**
 * Log-rank test of equal survival in `nGroups` groups; `groups[i]` is the group of case i. Null when fewer than two groups
 * have an expected event, or nothing varies.
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `NON_FINITE` or `INVALID_ARGUMENT` for bad input.
 * Source: Mantel 1966; Peto & Peto 1972; ties by the hypergeometric variance, as R's survdiff with rho = 0.
 */
export function logRankTest(
  outcomes: SurvivalOutcomes,
  groups: ArrayLike<number>,
  nGroups: number,
): LogRankTest | null {
  if (groups.length !== outcomes.times.length) {
    throw new DomainError(
      "SHAPE_MISMATCH",
      `${groups.length} groups for ${outcomes.times.length} cases; they must be as many`,
    );
  }
  assertClassLabels(groups, nGroups);
  const { observed, expected, covariance } = logRankSums(outcomes, groups, nGroups);
  const kept = expected.flatMap((count, g) => (count > 0 ? [g] : []));
  if (kept.length < 2) return null;
  // The differences sum to zero, so one group says nothing new: leave out the last.
  const free = kept.slice(0, -1);
  const difference = free.map((g) => (observed[g] ?? 0) - (expected[g] ?? 0));
  const solved = solve(
    free.map((g) => free.map((h) => covariance[g]?.[h] ?? 0)),
    difference,
  );
  if (solved === null) return null;
  const statistic = Math.max(
    0,
    difference.reduce((sum, value, k) => sum + value * (solved[k] ?? 0), 0),
  );
  return { statistic, degrees: free.length, pValue: chiSquaredP(statistic, free.length), observed, expected };
}

/** Observed and expected events `[G]` and the covariance of the observed `[G, G]`, summed over the times of events. */
function logRankSums(outcomes: SurvivalOutcomes, groups: ArrayLike<number>, nGroups: number) {
  const count = (cases: readonly number[]): number[] => {
    const counts = new Array<number>(nGroups).fill(0);
    for (const i of cases) counts[groups[i] ?? 0] = (counts[groups[i] ?? 0] ?? 0) + 1;
    return counts;
  };
  const observed = new Array<number>(nGroups).fill(0);
  const expected = new Array<number>(nGroups).fill(0);
  const covariance = Array.from({ length: nGroups }, () => new Array<number>(nGroups).fill(0));
  let atRisk = count(Array.from({ length: groups.length }, (_, i) => i));
  for (const { events, censored } of groupByTime(outcomes)) {
    const [n, d] = [atRisk.reduce((sum, here) => sum + here, 0), events.length];
    const died = count(events);
    const spread = n > 1 ? (d * (n - d)) / (n - 1) : 0;
    atRisk.forEach((here, g) => {
      observed[g] = (observed[g] ?? 0) + (died[g] ?? 0);
      expected[g] = (expected[g] ?? 0) + (d * here) / n;
      atRisk.forEach((there, h) => {
        const row = covariance[g] ?? [];
        row[h] = (row[h] ?? 0) + spread * (here / n) * (Number(g === h) - there / n);
      });
    });
    const left = count(censored);
    atRisk = atRisk.map((here, g) => here - (died[g] ?? 0) - (left[g] ?? 0));
  }
  return { observed, expected, covariance };
}

/** The solution of a small positive definite system by Cholesky; null when it is singular. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] | null {
  const n = right.length;
  const lower = matrix.map(() => new Array<number>(n).fill(0));
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      const rest = (matrix[i]?.[j] ?? 0) - dot(lower[i], lower[j], j);
      const row = lower[i] ?? [];
      if (i === j && rest <= 1e-12 * (matrix[i]?.[i] ?? 0)) return null;
      row[j] = i === j ? Math.sqrt(rest) : rest / (lower[j]?.[j] ?? 1);
    }
  }
  const half: number[] = [];
  for (let i = 0; i < n; i += 1) half.push(((right[i] ?? 0) - dot(lower[i], half, i)) / (lower[i]?.[i] ?? 1));
  const solution = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i -= 1) {
    const known = solution.reduce((sum, value, k) => (k > i ? sum + (lower[k]?.[i] ?? 0) * value : sum), 0);
    solution[i] = ((half[i] ?? 0) - known) / (lower[i]?.[i] ?? 1);
  }
  return solution;
}

function dot(a: readonly number[] | undefined, b: readonly number[] | undefined, n: number): number {
  let sum = 0;
  for (let k = 0; k < n; k += 1) sum += (a?.[k] ?? 0) * (b?.[k] ?? 0);
  return sum;
}
