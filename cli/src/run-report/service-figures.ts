import type { EvaluationReport, Interval, MetricName, MetricTable } from "@parfocal/metrics";
import { commonV1 } from "@parfocal/protocol";
import type { NumbersFigure, SurvivalFigure } from "../report/index.ts";
import type { MeasuredOutcome } from "./measure-scored.ts";

/**
 * What is drawn of a cross-validation with the figures of the service, which are those of the table of folds and of the terminal:
 * an interval has one source. Curves stay as they are; so does everything where the service measured nothing.
 */
export function withServiceFigures(
  { evaluation, numbers, survival }: MeasuredOutcome,
  measured: commonV1.Evaluation | undefined,
): MeasuredOutcome {
  if (measured === undefined)
    return { ...(evaluation && { evaluation }), ...(numbers && { numbers }), ...(survival && { survival }) };
  return {
    ...(evaluation && { evaluation: decidedByFolds(evaluation, measured) }),
    ...(numbers && { numbers: numbersBy(numbers, measured) }),
    ...(survival && { survival: survivalBy(survival, measured) }),
  };
}

/** Decisions are by thresholds of their own folds: figures and confusion as the service measured them, no threshold of all. */
function decidedByFolds(report: EvaluationReport, measured: commonV1.Evaluation): EvaluationReport {
  const n = report.task.classes.length;
  const { confusion } = measured;
  const { areCasesIndependent: isOwnPlain } = report;
  return {
    ...report,
    ...countsOf(report, measured),
    areCasesIndependent: isOwnPlain || isPlain(measured),
    thresholds: [],
    metrics: replaced(report.metrics, measured, "", isOwnPlain),
    classes: report.classes.map((each) => ({
      ...each,
      metrics: replaced(each.metrics, measured, each.name, isOwnPlain),
    })),
    confusion:
      report.confusion === null || confusion.length !== n * n
        ? report.confusion
        : Array.from({ length: n }, (_, truth) => confusion.slice(truth * n, (truth + 1) * n)),
  };
}

function numbersBy({ report, points }: NumbersFigure, measured: commonV1.Evaluation): NumbersFigure {
  const targets = report.targets.map((each) => ({ ...each, metrics: replaced(each.metrics, measured, each.name) }));
  return { report: { ...report, ...countsOf(report, measured), targets }, points };
}

function survivalBy(figure: SurvivalFigure, measured: commonV1.Evaluation): SurvivalFigure {
  const { report, censoring } = figure;
  const isOfTraining = measured.censoring === commonV1.Evaluation_Censoring.CENSORING_TRAINING;
  return {
    ...figure,
    report: { ...report, ...countsOf(report, measured), metrics: replaced(report.metrics, measured, "") },
    censoring: isOfTraining ? "training" : censoring,
  };
}

type Counts = Pick<EvaluationReport, "nCases" | "nPatients">;

/** Cases as the service counts them: slides that were decided together are one. */
function countsOf({ nCases, nPatients }: Counts, { slideCount, patientCount }: commonV1.Evaluation): Counts {
  return { nCases: slideCount || nCases, nPatients: patientCount || nPatients };
}

/** `isOwnPlain`: whether in our own cases every patient has one. */
function replaced(metrics: MetricTable, measured: commonV1.Evaluation, label: string, isOwnPlain = false): MetricTable {
  const entries = (Object.entries(metrics) as [MetricName, MetricTable[MetricName]][]).map(([name, own]) => {
    const wire = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const found = measured.metrics.find((each) => each.name === wire && each.label === label);
    if (found === undefined) return [name, own] as const;
    const { value = null, lower: low, upper: high } = found;
    const isSame = value === own?.value || isPlain(measured);
    // The same figure of cases of the same kind has its interval by the same method.
    const likeOwn = isSame ? own?.interval?.method : undefined;
    const method = (isPlain(measured) && !isOwnPlain ? PLAIN_METHODS[name] : likeOwn) ?? "patient-bootstrap";
    const interval = low === undefined || high === undefined ? null : { low, high, method };
    return [name, { value, interval }] as const;
  });
  return Object.fromEntries(entries);
}

/** Whether every patient has one case: then some intervals are not by resampling. */
function isPlain({ slideCount, patientCount }: commonV1.Evaluation): boolean {
  return slideCount > 0 && slideCount === patientCount;
}

/** How `evaluate` makes intervals where every patient has one case; others by resampling patients. */
const PLAIN_METHODS: Partial<Record<MetricName, Interval["method"]>> = {
  auroc: "delong-logit",
  accuracy: "wilson",
  exactMatch: "wilson",
  sensitivity: "wilson",
  specificity: "wilson",
  ppv: "wilson",
  npv: "wilson",
};
