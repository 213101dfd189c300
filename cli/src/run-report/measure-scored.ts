import {
  type CensoringCurve,
  censoringCurve,
  createRng,
  evaluateRegression,
  type MetricTable,
} from "@parfocal/metrics";
import { commonV1 } from "@parfocal/protocol";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import { evaluatePredictions } from "../cohort/evaluate-predictions.ts";
import type { MeasuredFigures } from "../cohort/measure-predictions.ts";
import { describeError, UsageError } from "../exit-codes.ts";
import type { ScoredRow } from "../experiment/score-rows.ts";
import type { NumbersFigure, PredictionRow, ReportData } from "../report/index.ts";
import type { MeasuredCase, MeasureOptions } from "./measured-case.ts";
import { median, outcomesOf, survivalFigure } from "./survival-figure.ts";

export type { MeasuredCase, MeasureOptions, RiskCut } from "./measured-case.ts";

/** The figures of a report, by the kind of task; none where nothing could be measured. */
export type MeasuredOutcome = Pick<ReportData, "evaluation" | "numbers" | "survival">;

/**
 * How good predictions are, whatever the task, with all that a report draws. Cases without a truth or a prediction are left out.
 *
 * @throws {UsageError} for a label that is none of the model's. @throws {DomainError} as the evaluations of `@parfocal/metrics`.
 */
export function measureScored(
  task: commonV1.Task,
  cases: readonly MeasuredCase[],
  options: MeasureOptions,
): MeasuredOutcome {
  const { seed } = options;
  const { KIND_COX, KIND_REGRESSION, KIND_SURVIVAL } = commonV1.Task_Kind;
  if (task.kind === KIND_REGRESSION) return { numbers: numbersOf(task.classes, cases, seed) };
  if (task.kind === KIND_SURVIVAL || task.kind === KIND_COX) return { survival: survivalFigure(task, cases, options) };
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
  return median(rows.flatMap(({ risk }) => risk ?? []));
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
