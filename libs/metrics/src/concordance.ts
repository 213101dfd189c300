/**
 * Concordance of risks with survival: Harrell's index, and Uno's, which weighs the pairs so that censoring does not bias it.
 *
 * Rules, as in scikit-survival: a pair (i, j) is comparable when i has an event and j lives longer, or j is censored at the
 * time of i's event. Two events at one time are not comparable. Risks no further apart than 1e-8 tie and count one half.
 * Source: Harrell, Lee & Mark 1996; Uno, Cai, Pencina, D'Agostino & Wei 2011.
 */
import { DomainError } from "@parfocal/errors";
import { assertFinite } from "./binary-input.ts";
import type { CensoringCurve } from "./kaplan-meier.ts";
import { groupByTime, type SurvivalOutcomes, type TimeGroup } from "./survival-outcomes.ts";

const TIED_RISK = 1e-8;

/** What the index is made of; with weights, the sums of the pairs' weights. */
export interface Concordance {
  /** In [0, 1]: 1 where the higher risk always dies first, 0.5 for risks that know nothing. Null without comparable pairs. */
  readonly index: number | null;
  readonly comparable: number;
  readonly concordant: number;
  readonly tied: number;
}

/**
 * Harrell's concordance index of `risks` `[N]` (higher = earlier event). O(N log N).
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `NON_FINITE` or `INVALID_ARGUMENT` for bad input.
 */
export function harrellConcordance(outcomes: SurvivalOutcomes, risks: ArrayLike<number>): Concordance {
  return rankedConcordance(rankRisks(outcomes, risks));
}

/** Settings of {@link unoConcordance}. */
export interface UnoOptions {
  /** Of the training cases: `censoringCurve`. */
  readonly censoring: CensoringCurve;
  /** Pairs count only when the event comes before this time; absent: all. */
  readonly tau?: number;
}

/**
 * Uno's concordance index: each comparable pair weighs 1 / G(t-)^2 at the time of its event. The index is null where G is 0
 * at an event: no training case was followed so long; truncate with `tau`.
 *
 * Differs from scikit-survival at times that an event shares with a censoring: it takes G after the time, we G just before it.
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `NON_FINITE` or `INVALID_ARGUMENT` for bad input.
 */
export function unoConcordance(outcomes: SurvivalOutcomes, risks: ArrayLike<number>, options: UnoOptions): Concordance {
  return rankedConcordance(rankRisks(outcomes, risks), { eventWeights: unoWeights(outcomes, options) });
}

/** The weight of each case's event in Uno's index, `[N]`; Infinity where G is 0. */
export function unoWeights({ times, events }: SurvivalOutcomes, { censoring, tau }: UnoOptions): Float64Array {
  return Float64Array.from(times, (time, i) => {
    const counts = events[i] === 1 && time < (tau ?? Infinity);
    return counts ? censoring.before(time) ** -2 : 0;
  });
}

/** Risks and outcomes sorted once, for any number of weighted indices. */
export interface RankedRisks {
  /** Times ascending. */
  readonly groups: readonly TimeGroup[];
  /** Place of each case by ascending risk, `[N]`. */
  readonly places: Uint32Array;
  /** How many cases have a risk below case i's by more than the tolerance. */
  readonly below: Uint32Array;
  /** How many have one below or tied with it. */
  readonly upTo: Uint32Array;
}

/** Sorts for {@link rankedConcordance}. @throws {DomainError} as {@link harrellConcordance}. */
export function rankRisks(outcomes: SurvivalOutcomes, risks: ArrayLike<number>): RankedRisks {
  const groups = groupByTime(outcomes);
  const n = outcomes.times.length;
  if (risks.length !== n) {
    throw new DomainError("SHAPE_MISMATCH", `${risks.length} risks for ${n} cases; they must be as many`);
  }
  assertFinite(risks, "risk");
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => (risks[a] ?? 0) - (risks[b] ?? 0));
  const [places, below, upTo] = [new Uint32Array(n), new Uint32Array(n), new Uint32Array(n)];
  let [low, high] = [0, 0];
  order.forEach((i, place) => {
    const risk = risks[i] ?? 0;
    const gap = (other: number): number => (risks[order[other] ?? 0] ?? 0) - risk;
    while (low < n && gap(low) < -TIED_RISK) low += 1;
    while (high < n && gap(high) <= TIED_RISK) high += 1;
    places[i] = place;
    below[i] = low;
    upTo[i] = high;
  });
  return { groups, places, below, upTo };
}

/** Weights of {@link rankedConcordance}, both `[N]`, 1 where absent. */
export interface ConcordanceWeights {
  /** How often each case counts. */
  readonly caseWeights?: ArrayLike<number>;
  /** Weight of a pair by the case that has its event. */
  readonly eventWeights?: ArrayLike<number>;
}

/** The index of risks ranked before. O(N log N), without another sort. */
export function rankedConcordance(
  { groups, places, below, upTo }: RankedRisks,
  weights: ConcordanceWeights = {},
): Concordance {
  const weightOf = (i: number): number => weights.caseWeights?.[i] ?? 1;
  // Weights, by place of risk, of the cases that outlive the time at hand.
  const outliving = createPrefixSums(places.length);
  const add = (i: number): void => outliving.add(places[i] ?? 0, weightOf(i));
  let [comparable, concordant, tied] = [0, 0, 0];
  for (const { events, censored } of groups.toReversed()) {
    censored.forEach(add);
    for (const i of events) {
      const weight = weightOf(i) * (weights.eventWeights?.[i] ?? 1);
      if (weight === 0) continue;
      const lower = outliving.sumBelow(below[i] ?? 0);
      const lowerOrTied = outliving.sumBelow(upTo[i] ?? 0);
      comparable += weight * outliving.sumBelow(places.length);
      concordant += weight * lower;
      tied += weight * (lowerOrTied - lower);
    }
    events.forEach(add);
  }
  const isDefined = comparable > 0 && Number.isFinite(comparable);
  return { index: isDefined ? (concordant + tied / 2) / comparable : null, comparable, concordant, tied };
}

/** Sums of the first entries of a growing table: Fenwick 1994. */
function createPrefixSums(n: number): { add(place: number, value: number): void; sumBelow(place: number): number } {
  const tree = new Float64Array(n + 1);
  return {
    add(place, value) {
      for (let node = place + 1; node <= n; node += node & -node) tree[node] = (tree[node] ?? 0) + value;
    },
    sumBelow(place) {
      let sum = 0;
      for (let node = place; node > 0; node -= node & -node) sum += tree[node] ?? 0;
      return sum;
    },
  };
}
