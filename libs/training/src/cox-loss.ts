/**
 * Cox's partial likelihood. Legend: N patients, theta log risks; at a time of events R is the sum of `e^theta` over who is at risk then, T
 * that over the d patients whose events come then.
 */
import type { CoxTask } from "@parfocal/models";
import { logSumExp } from "./host-math.ts";
import type { EventTime } from "./label.ts";

/** A loss with its gradient. */
export interface CoxLoss {
  /** Mean over events; 0 without any. */
  readonly loss: number;
  /** `[N]`, by theta. */
  readonly gradient: readonly number[];
}

/** Who is at risk at one time, and whose event comes. */
interface Moment {
  readonly atRisk: readonly number[];
  readonly events: readonly number[];
}

/**
 * The negative log partial likelihood of the log risks `theta` `[N]`, divided by the number of events, in f64 and in logarithms: finite for
 * risks of any size. Patients whose event or censoring comes at a time are at risk at it. `efron`: of d events at one time
 * the r-th sees `R - (r / d) T`; `breslow`: each sees R. O(N) per time of events.
 *
 * Source: Cox 1972, 1975; Breslow 1974; Efron 1977. Differs from the slide-level programs, which divide by the number of patients.
 */
export function coxLoss(
  times: readonly EventTime[],
  theta: readonly number[],
  ties: CoxTask["ties"] = "efron",
): CoxLoss {
  const moments = momentsOf(times);
  const nEvents = moments.reduce((sum, { events }) => sum + events.length, 0);
  const gradient = theta.map(() => 0);
  let loss = 0;
  for (const moment of moments) loss += addMoment(moment, theta, ties, gradient);
  const share = 1 / Math.max(nEvents, 1);
  return { loss: loss * share, gradient: gradient.map((value) => value * share) };
}

function momentsOf(times: readonly EventTime[]): Moment[] {
  const places = [...times.keys()];
  const ofEvents = new Set(times.flatMap(({ time, isEvent }) => (isEvent ? [time] : [])));
  const at = (place: number) => times[place]?.time ?? Number.NaN;
  return [...ofEvents].map((time) => ({
    atRisk: places.filter((place) => at(place) >= time),
    events: places.filter((place) => at(place) === time && times[place]?.isEvent),
  }));
}

/** The loss of the events of one time; adds its gradient. */
function addMoment(
  { atRisk, events }: Moment,
  theta: readonly number[],
  ties: CoxTask["ties"],
  gradient: number[],
): number {
  const of = (place: number) => theta[place] ?? Number.NaN;
  const add = (place: number, value: number) => {
    gradient[place] = (gradient[place] ?? 0) + value;
  };
  const logRisk = logSumExp(atRisk.map(of));
  const tied = Math.exp(logSumExp(events.map(of)) - logRisk); // T / R
  let loss = 0;
  for (const [r, event] of events.entries()) {
    const left = ties === "efron" ? r / events.length : 0;
    const logSum = logRisk + Math.log1p(-left * tied);
    loss += logSum - of(event);
    add(event, -1);
    for (const place of atRisk) add(place, Math.exp(of(place) - logSum));
    if (left > 0) for (const place of events) add(place, -left * Math.exp(of(place) - logSum));
  }
  return loss;
}
