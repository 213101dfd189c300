/**
 * The Kaplan-Meier estimate with Greenwood's variance, and the same of the censoring, which weighs other metrics.
 *
 * Source: Kaplan & Meier 1958; Greenwood 1926; Kalbfleisch & Prentice 1980 for the log-log interval. Where events and
 * censorings share a time, the events come first: a case censored at t was at risk at t.
 */
import { Z_95 } from "./normal-distribution.ts";
import { groupByTime, type SurvivalOutcomes } from "./survival-outcomes.ts";

/** The curve from its time on, until the next point. */
export interface KaplanMeierPoint {
  readonly time: number;
  /** Cases not yet dead or censored just before this time. */
  readonly atRisk: number;
  readonly events: number;
  readonly censored: number;
  /** Probability of being free of the event after this time, in [0, 1]. */
  readonly survival: number;
  /** Greenwood's; null where the curve has reached 0. */
  readonly standardError: number | null;
  /** Ends of the 95 % interval on the log-log scale, inside [0, 1]; null where the curve has reached 0. */
  readonly low: number | null;
  readonly high: number | null;
}

/**
 * The survival curve as steps, one point per distinct time, times ascending, after a first point at time 0 where all are at
 * risk (merged with the group of time 0 where there is one). Draw it as steps, with a tick where `censored > 0`.
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `NON_FINITE` or `INVALID_ARGUMENT` for bad input.
 */
export function kaplanMeier(outcomes: SurvivalOutcomes): KaplanMeierPoint[] {
  const groups = groupByTime(outcomes);
  let atRisk = outcomes.times.length;
  let survival = 1;
  // The sum of Greenwood's formula: d / (n (n - d)).
  let greenwood = 0;
  const points = groups.map(({ time, events, censored }) => {
    const before = atRisk;
    survival *= 1 - events.length / before;
    if (events.length > 0) greenwood += events.length / (before * (before - events.length));
    atRisk -= events.length + censored.length;
    const counts = { time, atRisk: before, events: events.length, censored: censored.length };
    return { ...counts, survival, ...greenwoodInterval(survival, greenwood) };
  });
  if (points[0]?.time === 0) return points;
  const origin = { time: 0, atRisk: outcomes.times.length, events: 0, censored: 0, survival: 1 };
  return [{ ...origin, standardError: 0, low: 1, high: 1 }, ...points];
}

/**
 * First time at which the curve is at or below one half; null when it never is.
 *
 * Source: as most programs. R's survfit takes the middle of a step that lies exactly at one half.
 */
export function medianSurvival(curve: readonly KaplanMeierPoint[]): number | null {
  return curve.find(({ survival }) => survival <= 0.5)?.time ?? null;
}

/** Probability of not yet being censored: G(t-) just before a time, or G(t) after it. 1 before the first censoring. */
export interface CensoringCurve {
  before(time: number): number;
  after(time: number): number;
}

/** Where the censoring curve falls: G from this time on, until the next step. */
export interface CensoringStep {
  readonly time: number;
  readonly free: number;
}

/**
 * Kaplan-Meier estimate of the censoring of `outcomes` (usually the training cases) as steps, times ascending; none where nobody was censored.
 * Events at a time leave the risk set before the censorings of that time.
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `NON_FINITE` or `INVALID_ARGUMENT` for bad input.
 */
export function censoringSteps(outcomes: SurvivalOutcomes): CensoringStep[] {
  let atRisk = outcomes.times.length;
  let free = 1;
  return groupByTime(outcomes).flatMap(({ time, events, censored }) => {
    atRisk -= events.length;
    if (censored.length > 0) free *= 1 - censored.length / atRisk;
    atRisk -= censored.length;
    return censored.length > 0 ? [{ time, free }] : [];
  });
}

/** The curve of steps, see {@link censoringSteps}, for inverse weights. */
export function curveOfCensoring(steps: readonly CensoringStep[]): CensoringCurve {
  const freeBefore = (place: number): number => steps[place - 1]?.free ?? 1;
  return {
    before: (time) => freeBefore(firstAtOrAfter(steps, time)),
    after(time) {
      const place = firstAtOrAfter(steps, time);
      return freeBefore(steps[place]?.time === time ? place + 1 : place);
    },
  };
}

/** The curve of {@link censoringSteps}. @throws {DomainError} as there. */
export function censoringCurve(outcomes: SurvivalOutcomes): CensoringCurve {
  return curveOfCensoring(censoringSteps(outcomes));
}

function greenwoodInterval(
  survival: number,
  greenwood: number,
): Pick<KaplanMeierPoint, "standardError" | "low" | "high"> {
  if (survival <= 0) return { standardError: null, low: null, high: null };
  if (greenwood === 0) return { standardError: 0, low: 1, high: 1 };
  const logSurvival = Math.log(survival);
  const half = (Z_95 * Math.sqrt(greenwood)) / Math.abs(logSurvival);
  return {
    standardError: survival * Math.sqrt(greenwood),
    low: survival ** Math.exp(half),
    high: survival ** Math.exp(-half),
  };
}

function firstAtOrAfter(steps: readonly { readonly time: number }[], time: number): number {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle]?.time ?? Infinity) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
