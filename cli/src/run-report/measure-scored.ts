import {
  type CensoringCurve,
  censoringCurve,
  createRng,
  evaluateRegression,
  evaluateSurvival,
  kaplanMeier,
  logRankTest,
  type MetricTable,
  quantileSorted,
  riskGroups,
} from "@parfocal/metrics";
import { commonV1 } from "@parfocal/protocol";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import { type EvaluatedSlide, evaluatePredictions } from "../cohort/evaluate-predictions.ts";
import type { MeasuredFigures } from "../cohort/measure-predictions.ts";
import { describeError, UsageError } from "../exit-codes.ts";
import type { ScoredRow } from "../experiment/score-rows.ts";
import type { NumbersFigure, PredictionRow, ReportData, SurvivalFigure } from "../report/index.ts";

/** A case with its truth and what was said of it, of any task. */
export interface MeasuredCase extends EvaluatedSlide {
  readonly row: PredictionRow;
}

/** The figures of a report, by the kind of task; none where nothing could be measured. */
export type MeasuredOutcome = Pick<ReportData, "evaluation" | "numbers" | "survival">;

/** Where risks are cut into two groups. */
export interface RiskCut {
  readonly value: number;
  /** As the end of the sentence "Risks were cut at …". */
  readonly name: string;
}

/** Settings of {@link measureScored}. */
export interface MeasureOptions {
  /** Drives the bootstrap. */
  readonly seed: bigint;
  /** Survival: where risks are cut; absent: at the median of these cases. */
  readonly cut?: RiskCut;
  /** Survival: of the training cases; absent: that of these cases. */
  readonly censoring?: CensoringCurve;
}

/**
 * How good predictions are, whatever the task, with all that a report draws. Cases without a truth or a prediction are left out.
 *
 * @throws {UsageError} for a label that is none of the model's. @throws {DomainError} as the evaluations of `@parfocal/metrics`.
 */
export function measureScored(
  task: commonV1.Task,
  cases: readonly MeasuredCase[],
  { seed, cut, censoring }: MeasureOptions,
): MeasuredOutcome {
  const { KIND_COX, KIND_REGRESSION, KIND_SURVIVAL } = commonV1.Task_Kind;
  if (task.kind === KIND_REGRESSION) return { numbers: numbersOf(task.classes, cases, seed) };
  if (task.kind === KIND_SURVIVAL || task.kind === KIND_COX)
    return { survival: survivalOf(cases, seed, { ...(cut && { cut }), ...(censoring && { censoring }) }) };
  return { evaluation: evaluatePredictions(task, cases, seed) };
}

/** What can be measured on scored rows; that nothing can is told and ends nothing. @throws {UsageError} as {@link measureScored}. */
export function outcomeOfScored(
  task: commonV1.Task,
  scored: readonly ScoredRow[],
  { onProblem, ...options }: Parameters<typeof measureScored>[2] & { readonly onProblem: (text: string) => void },
): MeasuredOutcome {
  if (scored.length === 0) return {};
  const cases = scored.map(({ assigned, prediction, row }) => ({
    patient: assigned.patient,
    truth: assigned.row,
    row,
    ...(prediction === undefined ? {} : { prediction }),
  }));
  try {
    return measureScored(task, cases, options);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    onProblem(`no metrics: ${describeError(error).message}`);
    return {};
  }
}

/** The median risk of some cases; undefined without any. */
export function medianRisk(rows: readonly PredictionRow[]): number | undefined {
  const risks = rows.flatMap(({ risk }) => risk ?? []).sort((a, b) => a - b);
  return risks.length === 0 ? undefined : quantileSorted(Float64Array.from(risks), 0.5);
}

/** All figures of an outcome by name; of several numbers by `<name>.<figure>`. */
export function figuresOf({
  evaluation,
  numbers,
  survival,
}: MeasuredOutcome): MetricTable | Record<string, MetricTable> {
  if (numbers !== undefined)
    return Object.fromEntries(numbers.report.targets.map(({ name, metrics }) => [name, metrics]));
  return evaluation?.metrics ?? survival?.report.metrics ?? {};
}

/** The figures of an outcome as tables, one for each number. */
export function figureTables({ evaluation, numbers, survival }: MeasuredOutcome): MeasuredFigures[] {
  const { targets = [], nPatients = 0 } = numbers?.report ?? {};
  const whole = evaluation ?? survival?.report;
  return [
    ...(whole === undefined ? [] : [whole]),
    ...targets.map(({ name, nCases, metrics }) => ({ name, nCases, nPatients, metrics })),
  ];
}

function numbersOf(names: readonly string[], cases: readonly MeasuredCase[], seed: bigint): NumbersFigure {
  const known = cases.filter(({ row }) => row.values !== undefined && row.trueValues !== undefined);
  const report = evaluateRegression(
    {
      names,
      patients: known.map(({ patient }) => patient),
      targets: known.map(({ row }) => names.map((name) => row.trueValues?.[name] ?? null)),
      predicted: known.map(({ row }) => names.map((name) => row.values?.[name] ?? Number.NaN)),
    },
    { rng: createRng(seed).fork("evaluation") },
  );
  const pointsOf = (name: string) =>
    known.flatMap(({ row: { values, trueValues } }) => {
      const [truth, predicted] = [trueValues?.[name], values?.[name]];
      return truth === undefined || predicted === undefined ? [] : [[truth, predicted] as const];
    });
  return { report, points: Object.fromEntries(names.map((name) => [name, pointsOf(name)])) };
}

function survivalOf(
  cases: readonly MeasuredCase[],
  seed: bigint,
  { cut: given, censoring }: Pick<MeasureOptions, "cut" | "censoring">,
): SurvivalFigure {
  const known = cases.flatMap(({ patient, prediction, row: { risk, outcome } }) =>
    risk === undefined || outcome === undefined
      ? []
      : [{ patient, risk, outcome, steps: prediction?.survival?.curve ?? [] }],
  );
  const risks = known.map(({ risk }) => risk);
  const outcomes = outcomesOf(known);
  const report = evaluateSurvival(
    {
      patients: known.map(({ patient }) => patient),
      outcomes,
      risks,
      censoring: censoring ?? censoringCurve(outcomes),
    },
    { rng: createRng(seed).fork("evaluation") },
  );
  const own = { value: medianRisk(cases.map(({ row }) => row)) ?? 0, name: "their own median, which flatters" };
  const cut = given ?? own;
  const groupOf = riskGroups(risks, [cut.value]);
  const groups = ["low risk", "high risk"].flatMap((name, group) => {
    const members = known.filter((_, i) => groupOf[i] === group);
    const { times, events } = outcomesOf(members);
    const nEvents = events.filter((event) => event === 1).length;
    return members.length === 0
      ? []
      : [{ name, curve: kaplanMeier({ times, events }), nCases: members.length, nEvents, ...predictedBy(members) }];
  });
  const pValue = groups.length === 2 ? (logRankTest(outcomes, groupOf, 2)?.pValue ?? null) : null;
  return { report, groups, pValue, cut: cut.name, censoring: censoring === undefined ? "evaluated" : "training" };
}

/** The mean of curves of survival; nothing where a case has none. Models of several folds have times of their own. */
function predictedBy(
  members: readonly { readonly steps: readonly commonV1.SurvivalPoint[] }[],
): Pick<SurvivalFigure["groups"][number], "predicted"> {
  if (members.length === 0 || members.some(({ steps }) => steps.length === 0)) return {};
  const times = [...new Set(members.flatMap(({ steps }) => steps.map(({ time }) => time)))].sort((a, b) => a - b);
  const at = (steps: readonly commonV1.SurvivalPoint[], time: number) =>
    steps.findLast((step) => step.time <= time)?.survival ?? 1;
  const mean = (time: number) => members.reduce((sum, { steps }) => sum + at(steps, time), 0) / members.length;
  return { predicted: times.map((time) => ({ time, survival: mean(time) })) };
}

/** How patients of a training part were censored, or groups where these have the label; undefined in tasks without events. */
export function trainingCensoring(
  rows: readonly AssignedRow[],
  { hasGroups }: { readonly hasGroups: boolean },
): CensoringCurve | undefined {
  const known = rows.flatMap(({ part, patient, row }, i) => {
    const key = hasGroups ? JSON.stringify([patient, row.group ?? ""]) : String(i);
    return part === "train" && row.survival !== undefined ? [[key, { outcome: row.survival }] as const] : [];
  });
  return known.length === 0 ? undefined : censoringCurve(outcomesOf([...new Map(known).values()]));
}

function outcomesOf(known: readonly { readonly outcome: { readonly time: number; readonly event: boolean } }[]) {
  return { times: known.map(({ outcome }) => outcome.time), events: known.map(({ outcome }) => Number(outcome.event)) };
}
