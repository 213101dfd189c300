import type { CensoringCurve, SurvivalForecast } from "@parfocal/metrics";
import { commonV1 } from "@parfocal/protocol";

/** Most times at which Cox's curves are judged, as the training has it: every resample looks at all of them. */
const MAX_TIMES = 16;

/** A case whose survival somebody predicted. */
export interface ForecastCase {
  readonly outcome: { readonly time: number };
  /** The predicted curve, its times ascending; empty: there is none. */
  readonly steps: readonly commonV1.SurvivalPoint[];
}

/**
 * What one model forecasts for some cases, at the times at which a training judges it: in discrete time the inner ends of the intervals;
 * Cox times of events, evenly by rank, before all cases are over and while some of those are followed whose censoring weighs. Undefined
 * where a case has no curve, curves have times of their own (several models), or fewer than two times are left.
 */
export function forecastOf(
  kind: commonV1.Task_Kind,
  cases: readonly ForecastCase[],
  censoring: CensoringCurve,
): SurvivalForecast | undefined {
  const times = commonTimes(cases);
  const isDiscrete = kind === commonV1.Task_Kind.KIND_SURVIVAL;
  const kept = isDiscrete ? times.slice(0, -1).map((_, k) => k) : evenly(followedTimes(times, cases, censoring));
  if (kept.length < 2) return undefined;
  return {
    times: kept.map((k) => times[k] ?? Number.NaN),
    survival: cases.map(({ steps }) => kept.map((k) => steps[k]?.survival ?? Number.NaN)),
    side: isDiscrete ? "before" : "after",
  };
}

/** The times of every case's curve; none where they differ. */
function commonTimes(cases: readonly ForecastCase[]): readonly number[] {
  const [first, ...others] = cases.map(({ steps }) => steps.map(({ time }) => time));
  if (first === undefined) return [];
  const isSame = (of: readonly number[]) => of.length === first.length && of.every((time, k) => time === first[k]);
  return others.every(isSame) ? first : [];
}

/** Places of the times at which something can be judged: later everybody is over, or there is nothing to weigh by. */
function followedTimes(
  times: readonly number[],
  cases: readonly ForecastCase[],
  censoring: CensoringCurve,
): readonly number[] {
  const end = cases.reduce((latest, { outcome }) => Math.max(latest, outcome.time), 0);
  return times.flatMap((time, k) => (time < end && censoring.after(time) > 0 ? [k] : []));
}

function evenly(places: readonly number[]): readonly number[] {
  const n = Math.min(places.length, MAX_TIMES);
  if (n < 2) return [];
  return Array.from({ length: n }, (_, i) => places[Math.round((i * (places.length - 1)) / (n - 1))] ?? 0);
}
