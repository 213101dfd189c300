/**
 * The hazard of a patient whose log risk is 0, which makes survival curves of Cox's risks. Legend: N patients, T times of events, theta log
 * risks.
 */
import type { CoxTask } from "@parfocal/models";
import type { EventTime } from "./label.ts";

/** The cumulative hazard at log risk 0 as steps: from each time on, until the next. */
export interface BaselineHazard {
  /** `[T]`, ascending, in the unit of the labels. */
  readonly times: readonly number[];
  /** `[T]`, above 0, ascending. */
  readonly hazards: readonly number[];
}

/** Survival of one patient after a time. */
export interface SurvivalStep {
  readonly time: number;
  /** Probability that the event has not come by then. */
  readonly survival: number;
  /** Probability that it comes between the time before and this one, if it has not come before. */
  readonly hazard: number;
}

/** Most times that are published: a curve is drawn from fewer, and every prediction carries it. */
const MAX_TIMES = 128;

/**
 * Breslow's estimate of the cumulative baseline hazard from log risks `[N]` and what became of the patients. At a time of d events among those
 * at risk with the sum R of `e^theta`, it grows by `d / R`; with ties by Efron the r-th of d events sees `R - (r / d) T`, T the sum over the d
 * events, as in the likelihood. Of more than 128 times of events it is kept, exact, at 128 evenly by rank, the last among them. Undefined without
 * an event, and where risks are so large or small that it is not finite and above 0.
 *
 * Source: Breslow 1974; Efron 1977. scikit-survival has `d / R` whatever the ties.
 */
export function breslowHazard(
  times: readonly EventTime[],
  theta: readonly number[],
  ties: CoxTask["ties"],
): BaselineHazard | undefined {
  const byTime = Map.groupBy(times.keys(), (place) => times[place]?.time ?? Number.NaN);
  const weightOf = (place: number) => Math.exp(theta[place] ?? Number.NaN);
  let atRisk = 0;
  const steps: { readonly time: number; readonly rise: number }[] = [];
  // From the last time back, whoever is met is at risk at all times before.
  for (const [time, places] of [...byTime].sort(([a], [b]) => b - a)) {
    const events = places.filter((place) => times[place]?.isEvent);
    atRisk += sum(places.map(weightOf));
    if (events.length > 0) steps.push({ time, rise: riseAt(atRisk, events.map(weightOf), ties) });
  }
  return thinned(cumulative(steps.reverse()));
}

/** The survival curve of a patient with a log risk: `S(t) = exp(-H(t) e^theta)` at the times of the baseline. */
export function survivalCurve({ times, hazards }: BaselineHazard, theta: number): SurvivalStep[] {
  const risk = Math.exp(theta);
  return times.map((time, k) => {
    const hazard = hazards[k] ?? Number.NaN;
    const rise = hazard - (hazards[k - 1] ?? 0);
    return { time, survival: Math.exp(-hazard * risk), hazard: -Math.expm1(-rise * risk) };
  });
}

function riseAt(atRisk: number, events: readonly number[], ties: CoxTask["ties"]): number {
  const tied = sum(events);
  return sum(events.map((_, r) => 1 / (atRisk - (ties === "efron" ? (r / events.length) * tied : 0))));
}

function cumulative(steps: readonly { readonly time: number; readonly rise: number }[]): BaselineHazard | undefined {
  let total = 0;
  const hazards = steps.map(({ rise }) => {
    total += rise;
    return total;
  });
  const isUsable = hazards.length > 0 && hazards.every((hazard) => Number.isFinite(hazard) && hazard > 0);
  return isUsable ? { times: steps.map(({ time }) => time), hazards } : undefined;
}

function thinned(baseline: BaselineHazard | undefined): BaselineHazard | undefined {
  const n = baseline?.times.length ?? 0;
  if (baseline === undefined || n <= MAX_TIMES) return baseline;
  const kept = Array.from({ length: MAX_TIMES }, (_, k) => Math.ceil(((k + 1) * n) / MAX_TIMES) - 1);
  const at = (values: readonly number[]) => kept.map((place) => values[place] ?? Number.NaN);
  return { times: at(baseline.times), hazards: at(baseline.hazards) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
