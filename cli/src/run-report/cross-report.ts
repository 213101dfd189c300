import type { EvaluationReport, MetricName, MetricTable } from "@parfocal/metrics";
import type { commonV1 } from "@parfocal/protocol";
import type { AssignedRow } from "../cohort/assign-parts.ts";
import type { CrossValidation } from "../experiment/cross-validate.ts";
import type { PreparedExperiment } from "../experiment/prepare-experiment.ts";
import { formatPlural, type ReportData } from "../report/index.ts";
import { dataSummary } from "./data-summary.ts";
import { experimentCard } from "./experiment-card.ts";
import { foldTable } from "./fold-table.ts";
import type { MeasuredOutcome } from "./measure-scored.ts";
import { titleOf } from "./run-report.ts";
import { trainingRun } from "./training-run.ts";

/** What the report of a cross-validation is made of. */
export interface CrossReportSource {
  readonly prepared: PreparedExperiment;
  readonly validation: CrossValidation;
  /** Of the first repeat's predictions. */
  readonly outcome: MeasuredOutcome;
  readonly seed: bigint;
  /** As the reader should see it. */
  readonly generatedAt: string;
}

/** The report of a cross-validation. */
export function crossReport({ prepared, validation, outcome, seed, generatedAt }: CrossReportSource): ReportData {
  const { experiment, task } = prepared;
  const { response, report, repeats } = validation;
  const { folds: nFolds, repeats: nRepeats } = experiment;
  const [first = []] = repeats;
  const rows: readonly AssignedRow[] = first.map(({ assigned }) => assigned);
  const times = nRepeats === 1 ? "" : `, ${nRepeats} times by other folds`;
  return {
    title: `${titleOf(prepared)}, cross-validated`,
    summary: `${formatPlural(nFolds, "fold")} by patient${times}: every slide was shown to a model that had seen neither it nor its patient. Figures and curves are of all slides together${nRepeats === 1 ? "" : ", of the first repeat"}.`,
    generatedAt,
    data: {
      ...dataSummary(rows, task, [{ name: "Split", value: splitOf(rows, seed) }]),
      parts: [],
    },
    ...outcome,
    evaluatedOn: `${formatPlural(rows.length, "slide")} by models that had not seen them`,
    folds: foldTable(response),
    training: report.folds.map(({ result, history }) =>
      trainingRun({ history }, { name: nameOf(result?.repeat ?? 1, result?.fold ?? 1, nRepeats) }),
    ),
    predictions: repeats.flatMap((repeat) => repeat.map(({ row }) => row)),
    heatmaps: [],
    model: experimentCard({ ...prepared, rows, seeds: [seed] }),
  };
}

function splitOf(rows: readonly AssignedRow[], seed: bigint): string {
  const nSites = new Set(rows.flatMap(({ row }) => row.site ?? [])).size;
  const whole = nSites === 0 ? "" : `, ${formatPlural(nSites, "site")} kept whole`;
  return `by patient, stratified by label${whole}, seed ${seed}`;
}

function nameOf(repeat: number, fold: number, nRepeats: number): string {
  return nRepeats === 1 ? `fold ${fold}` : `repeat ${repeat}, fold ${fold}`;
}

/**
 * The evaluation of predictions whose decisions are by thresholds of their own folds: figures and confusion as the service measured
 * them, curves as they are.
 */
export function withServiceFigures(
  report: EvaluationReport,
  measured: commonV1.Evaluation | undefined,
): EvaluationReport {
  if (measured === undefined) return report;
  const n = report.task.classes.length;
  const { confusion } = measured;
  return {
    ...report,
    thresholds: [],
    metrics: replaced(report.metrics, measured, ""),
    classes: report.classes.map((each) => ({ ...each, metrics: replaced(each.metrics, measured, each.name) })),
    confusion:
      report.confusion === null || confusion.length !== n * n
        ? report.confusion
        : Array.from({ length: n }, (_, truth) => confusion.slice(truth * n, (truth + 1) * n)),
  };
}

function replaced(metrics: MetricTable, { metrics: figures }: commonV1.Evaluation, label: string): MetricTable {
  const entries = (Object.entries(metrics) as [MetricName, MetricTable[MetricName]][]).map(([name, own]) => {
    const wire = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const found = figures.find((each) => each.name === wire && each.label === label);
    if (found === undefined) return [name, own] as const;
    const { value = null, lower: low, upper: high } = found;
    // The same figure has its interval by the same method.
    const method = (value === own?.value ? own.interval?.method : undefined) ?? "patient-bootstrap";
    return [name, { value, interval: low === undefined || high === undefined ? null : { low, high, method } }] as const;
  });
  return Object.fromEntries(entries);
}
