import {
  type CensoringCurve,
  censoringCurve,
  createRng,
  evaluateSurvival,
  kaplanMeier,
  logRankTest,
  quantileSorted,
  riskGroups,
  type SurvivalReport,
} from "@parfocal/metrics";
import type { commonV1 } from "@parfocal/protocol";
import type { SurvivalFigure } from "../report/index.ts";
import type { MeasuredCase, MeasureOptions } from "./measured-case.ts";
import { type PatientRisk, risksOfPatients, type SurvivalCase } from "./patient-risks.ts";
import { forecastOf } from "./survival-forecast.ts";

/**
 * How well risks and curves of survival are predicted, and what became of patients of low and high risk. Cases without an outcome or a
 * risk are left out.
 *
 * @throws {DomainError} as `evaluateSurvival`.
 */
export function survivalFigure(
  { kind }: commonV1.Task,
  cases: readonly MeasuredCase[],
  { seed, cut: given, censoring }: MeasureOptions,
): SurvivalFigure {
  const known = cases.flatMap(({ patient, prediction, row: { risk, outcome } }): SurvivalCase[] =>
    risk === undefined || outcome === undefined
      ? []
      : [{ patient, risk, outcome, steps: prediction?.survival?.curve ?? [] }],
  );
  const report = measured(kind, known, { seed, ...(censoring && { censoring }) });
  const patients = risksOfPatients(known);
  const own = { value: median(patients.map(({ risk }) => risk)) ?? 0, name: "their own median, which flatters" };
  const cut = given ?? own;
  return {
    report,
    ...groupsOf(patients, cut.value),
    cut: cut.name,
    censoring: censoring === undefined ? "evaluated" : "training",
    isByPatient: patients.length < known.length,
  };
}

function measured(
  kind: commonV1.Task_Kind,
  known: readonly SurvivalCase[],
  { seed, censoring }: Pick<MeasureOptions, "seed" | "censoring">,
): SurvivalReport {
  const outcomes = outcomesOf(known);
  const weighed: CensoringCurve = censoring ?? censoringCurve(outcomes);
  const forecast = forecastOf(kind, known, weighed);
  return evaluateSurvival(
    {
      patients: known.map(({ patient }) => patient),
      outcomes,
      risks: known.map(({ risk }) => risk),
      censoring: weighed,
      ...(forecast && { forecast }),
    },
    { rng: createRng(seed).fork("evaluation") },
  );
}

/** Patients below a risk and the others, and the test between them; null where there is none to test. */
function groupsOf(patients: readonly PatientRisk[], cut: number): Pick<SurvivalFigure, "groups" | "pValue"> {
  const groupOf = riskGroups(
    patients.map(({ risk }) => risk),
    [cut],
  );
  const groups = ["low risk", "high risk"].flatMap((name, group) => {
    const members = patients.filter((_, i) => groupOf[i] === group);
    return members.length === 0 ? [] : [{ name, ...courseOf(members) }];
  });
  const pValue = groups.length === 2 ? (logRankTest(outcomesOf(patients), groupOf, 2)?.pValue ?? null) : null;
  return { groups, pValue };
}

function courseOf(members: readonly PatientRisk[]): Omit<SurvivalFigure["groups"][number], "name"> {
  const { times, events } = outcomesOf(members);
  const nEvents = events.filter((event) => event === 1).length;
  return { curve: kaplanMeier({ times, events }), nCases: members.length, nEvents, ...predictedBy(members) };
}

/** The mean of curves of survival; nothing where a case has none. Models of several folds have times of their own. */
function predictedBy(members: readonly PatientRisk[]): Pick<SurvivalFigure["groups"][number], "predicted"> {
  const all = members.flatMap(({ curves }) => curves);
  if (all.length === 0 || all.some((steps) => steps.length === 0)) return {};
  const times = [...new Set(all.flatMap((steps) => steps.map(({ time }) => time)))].sort((a, b) => a - b);
  const at = (steps: readonly commonV1.SurvivalPoint[], time: number) =>
    steps.findLast((step) => step.time <= time)?.survival ?? 1;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const ofPatient = ({ curves }: PatientRisk, time: number) => mean(curves.map((steps) => at(steps, time)));
  return { predicted: times.map((time) => ({ time, survival: mean(members.map((each) => ofPatient(each, time))) })) };
}

/** The middle of some numbers; undefined without any. */
export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.length === 0 ? undefined : quantileSorted(Float64Array.from(sorted), 0.5);
}

/** Courses as metrics take them: `[N]` times, and 1 where the event came. */
export function outcomesOf(
  known: readonly { readonly outcome: { readonly time: number; readonly event: boolean } }[],
): { readonly times: number[]; readonly events: number[] } {
  return { times: known.map(({ outcome }) => outcome.time), events: known.map(({ outcome }) => Number(outcome.event)) };
}
