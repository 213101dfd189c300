import { DomainError } from "@parfocal/errors";
import type { CensoringCurve } from "./kaplan-meier.ts";
import { assertRows } from "./one-vs-rest.ts";
import { assertSurvivalOutcomes, type SurvivalOutcomes } from "./survival-outcomes.ts";

/** Predicted survival curves at chosen times. */
export interface SurvivalForecast {
  /** `[T]`, ascending, within the follow-up of the cases. */
  readonly times: readonly number[];
  /** `[N][T]`: predicted probability of being free of the event on that side of each time. */
  readonly survival: readonly ArrayLike<number>[];
  /**
   * `after` (the default): a probability is that of living beyond its time, P(T > t), as of a curve of steps. `before`: that of living to its
   * time, P(T >= t), as at the ends of intervals [a, b): a case whose own time is t counts as free there.
   */
  readonly side?: "before" | "after";
}

/**
 * Brier score of survival forecasts at each time, `[T]`: mean squared error of "free of the event" on the forecast's side of t, where
 * cases censored earlier are made up for by weights 1 / G, with G on that side of t for those who are free. 0.25 for a forecast of one half
 * everywhere. Null where G is 0.
 *
 * @param censoring Of the training cases: `censoringCurve`.
 * @throws {DomainError} `SHAPE_MISMATCH`, `NON_FINITE` or `INVALID_ARGUMENT` for bad input.
 * Source: Graf, Schmoor, Sauerbrei & Schumacher 1999, with G just before the time of an event (scikit-survival: after it).
 * Differs: theirs is `after`; `before` is its limit from the left, the score of the same forecast just before t.
 */
export function survivalBrierScores(
  outcomes: SurvivalOutcomes,
  forecast: SurvivalForecast,
  censoring: CensoringCurve,
  weights?: ArrayLike<number>,
): (number | null)[] {
  assertSurvivalOutcomes(outcomes);
  assertForecast(outcomes, forecast);
  const n = outcomes.times.length;
  const { side = "after" } = forecast;
  return forecast.times.map((time, t) => {
    const moment = { time, side, uncensored: censoring[side](time), censoring };
    let [sum, total] = [0, 0];
    for (let i = 0; i < n; i += 1) {
      const weight = weights?.[i] ?? 1;
      total += weight;
      if (weight > 0) sum += weight * weightedError(outcomes, i, moment, forecast.survival[i]?.[t]);
    }
    return total > 0 && Number.isFinite(sum) ? sum / total : null;
  });
}

/**
 * Integrated Brier score: the area under {@link survivalBrierScores} over the span of the times, by trapezoids, divided by that
 * span. Null where a score is, or with fewer than two times.
 */
export function integratedBrierScore(times: readonly number[], scores: readonly (number | null)[]): number | null {
  const defined = scores.filter((score) => score !== null);
  if (times.length < 2 || defined.length !== times.length) return null;
  const area = times.slice(1).reduce((sum, time, k) => {
    return sum + ((time - (times[k] ?? 0)) * ((defined[k] ?? 0) + (defined[k + 1] ?? 0))) / 2;
  }, 0);
  return area / ((times.at(-1) ?? 0) - (times[0] ?? 0));
}

interface Moment {
  readonly time: number;
  readonly side: "before" | "after";
  /** G on that side of the time. */
  readonly uncensored: number;
  readonly censoring: CensoringCurve;
}

/** Known dead by that moment: survival should be 0. Known alive: 1. Censored by then: the others speak for it. */
function weightedError(
  { times, events }: SurvivalOutcomes,
  i: number,
  { time, side, uncensored, censoring }: Moment,
  survival = Number.NaN,
): number {
  const own = times[i] ?? 0;
  const isFree = side === "before" ? own >= time : own > time;
  if (isFree) return (1 - survival) ** 2 / uncensored;
  return events[i] === 1 ? survival ** 2 / censoring.before(own) : 0;
}

function assertForecast({ times: cases }: SurvivalOutcomes, { times, survival }: SurvivalForecast): void {
  const bad = times.findIndex((time, k) => !Number.isFinite(time) || (k > 0 && time <= (times[k - 1] ?? 0)));
  if (bad >= 0) {
    throw new DomainError("INVALID_ARGUMENT", `forecast time ${bad} is ${times[bad]}; times must be finite and ascend`);
  }
  assertRows(survival, cases.length, times.length);
  survival.forEach((row, i) => {
    const wrong = Array.from(row).find((p) => !(p >= 0 && p <= 1));
    if (wrong === undefined) return;
    throw new DomainError("INVALID_ARGUMENT", `row ${i} forecasts a survival of ${wrong}; it must lie in [0, 1]`);
  });
}
