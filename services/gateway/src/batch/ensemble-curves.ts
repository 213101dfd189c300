import { DomainError } from "@parfocal/errors";
import type { commonV1 } from "@parfocal/protocol";

/** Survival curves of several models at the same times. */
export interface CommonCurves {
  /** Ascending, `[T]`. */
  readonly times: readonly number[];
  /** By model, `[T]`: the probability that the event has not come by the time. */
  readonly survivals: readonly (readonly number[])[];
}

type Curve = readonly commonV1.SurvivalPoint[];

/**
 * Curves at times that all of them know. `intervals` (discrete time): at the ends of the intervals, which must be the same, as nothing is known
 * within one. `steps` (Cox): wherever one of them steps, up to the last time of the shortest; a curve keeps its value until it steps, and is
 * 1 before its first. No times where there is a curve without points, or none up to there.
 *
 * @throws {DomainError} `PRECONDITION_FAILED` for intervals that differ, naming where.
 */
export function survivalsAtCommonTimes(curves: readonly Curve[], kind: "intervals" | "steps"): CommonCurves {
  if (kind === "intervals") assertSameEnds(curves);
  const end = Math.min(...curves.map((curve) => curve.at(-1)?.time ?? Number.NEGATIVE_INFINITY));
  const all = new Set(curves.flatMap((curve) => curve.map(({ time }) => time)));
  const times = [...all].filter((time) => time <= end).sort((a, b) => a - b);
  return { times, survivals: curves.map((curve) => valuesAt(curve, times)) };
}

/** The mean over the models, with the hazards that belong to it: of each time, given that the event has not come before. */
export function meanCurve({ times, survivals }: CommonCurves): commonV1.SurvivalPoint[] {
  let before = 1;
  return times.map((time, k) => {
    const survival = survivals.reduce((sum, own) => sum + (own[k] ?? Number.NaN), 0) / survivals.length;
    const hazard = before === 0 ? 1 : 1 - survival / before;
    before = survival;
    return { time, survival, hazard };
  });
}

/** Ranks curves at the same times: minus the sum of the survivals, as risks of discrete time are. */
export function riskOfCurve(survivals: readonly number[]): number {
  return -survivals.reduce((sum, value) => sum + value, 0);
}

/** The values of a step function at ascending times. */
function valuesAt(curve: Curve, times: readonly number[]): number[] {
  let [place, value] = [0, 1];
  return times.map((time) => {
    for (let point = curve[place]; point !== undefined && point.time <= time; point = curve[place]) {
      value = point.survival;
      place += 1;
    }
    return value;
  });
}

function assertSameEnds(curves: readonly Curve[]): void {
  const [first = []] = curves;
  for (const [model, curve] of curves.entries()) {
    const place = Array.from({ length: Math.max(first.length, curve.length) }).findIndex(
      (_, k) => curve[k]?.time !== first[k]?.time,
    );
    if (place < 0) continue;
    const endOf = (own: Curve) => (own[place] === undefined ? "is not there" : `ends at ${own[place].time}`);
    const message = `interval ${place + 1} ${endOf(curve)} in model ${model + 1} and ${endOf(first)} in model 1; curves of other intervals have no mean`;
    throw new DomainError("PRECONDITION_FAILED", message, { details: { precondition: "SAME_SCALE" } });
  }
}
