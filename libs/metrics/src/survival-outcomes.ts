import { DomainError } from "@parfocal/errors";
import { assertFinite } from "./binary-input.ts";

/** Follow-up of N cases, in one unit of time. */
export interface SurvivalOutcomes {
  /** `[N]`, >= 0: time of the event, or of the last look where none was seen. */
  readonly times: ArrayLike<number>;
  /** `[N]`: 1 where the event was seen, 0 where the case is censored. (Some tables have a censor flag: its opposite.) */
  readonly events: ArrayLike<number>;
}

/** Cases that share a time, times ascending. */
export interface TimeGroup {
  readonly time: number;
  /** Cases whose event falls on this time. */
  readonly events: readonly number[];
  /** Cases censored at this time: still at risk for its events. */
  readonly censored: readonly number[];
}

/**
 * Throws unless times are finite and not negative, events 0 or 1, both of one length.
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `NON_FINITE` or `INVALID_ARGUMENT` naming row, value and bound.
 */
export function assertSurvivalOutcomes({ times, events }: SurvivalOutcomes): void {
  if (times.length !== events.length) {
    throw new DomainError("SHAPE_MISMATCH", `${events.length} events for ${times.length} times; they must be as many`);
  }
  assertFinite(times, "time");
  for (let i = 0; i < times.length; i += 1) {
    const [time, event] = [times[i] ?? 0, events[i]];
    if (time < 0) throw new DomainError("INVALID_ARGUMENT", `time ${i} is ${time}; it must be at least 0`);
    if (event !== 0 && event !== 1) {
      throw new DomainError("INVALID_ARGUMENT", `event ${i} is ${event}; it must be 0 (censored) or 1 (seen)`);
    }
  }
}

/** Checked outcomes by distinct time, ascending. O(N log N). @throws as {@link assertSurvivalOutcomes}. */
export function groupByTime(outcomes: SurvivalOutcomes): TimeGroup[] {
  assertSurvivalOutcomes(outcomes);
  const { times, events } = outcomes;
  const order = Array.from({ length: times.length }, (_, i) => i).sort((a, b) => (times[a] ?? 0) - (times[b] ?? 0));
  const byTime = Map.groupBy(order, (i) => times[i] ?? 0);
  return Array.from(byTime, ([time, cases]) => ({
    time,
    events: cases.filter((i) => events[i] === 1),
    censored: cases.filter((i) => events[i] === 0),
  }));
}
