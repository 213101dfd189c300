import { rankedAuroc } from "./auroc.ts";
import { rankedAveragePrecision } from "./average-precision.ts";
import { bootstrapIntervals } from "./bootstrap.ts";
import {
  expectedCalibrationError,
  multiclassBrierScore,
  multiclassLogLoss,
  topLabelCalibrationBins,
} from "./calibration.ts";
import {
  accuracy,
  argmax,
  balancedAccuracy,
  type ConfusionMatrix,
  cohenKappa,
  confusionMatrix,
  f1Scores,
  medianClass,
  recalls,
} from "./confusion.ts";
import { prCurve, rocCurve } from "./curves.ts";
import { delongInterval } from "./delong.ts";
import { keepsClasses, tableOf, weightedMean } from "./evaluate-binary.ts";
import type { ClassReport, EvaluationContext, MetricName, TaskReport } from "./evaluation-types.ts";
import { type Interval, wilsonInterval } from "./interval.ts";
import { type ClassView, meansOfDefined, oneVsRest } from "./one-vs-rest.ts";
import { weightedKappa } from "./weighted-kappa.ts";

/** One multi-class problem. */
export interface MulticlassCases {
  readonly names: readonly string[];
  readonly patients: readonly string[];
  /** `[N]`, class index. */
  readonly labels: readonly number[];
  /** `[N][K]`. */
  readonly probabilities: readonly (readonly number[])[];
  /** Whether the classes have an order: then the median decides, and the quadratic kappa is measured too. */
  readonly isOrdered: boolean;
}

/** The multi-class part of `evaluate`: argmax (ordered: median) decisions, one-versus-rest ranking metrics. */
export function evaluateMulticlass(cases: MulticlassCases, context: EvaluationContext): TaskReport {
  const nClasses = cases.names.length;
  const views = oneVsRest(cases.labels, cases.probabilities, nClasses);
  const predicted = decisions(cases);
  const confusion = confusionMatrix(cases.labels, predicted, nClasses);
  const statistics = multiclassStatistics(cases, views, predicted);
  const { intervals, nResamples, nRedraws } = bootstrapIntervals({
    patients: cases.patients,
    statistics,
    isUsable: keepsClasses(cases.labels),
    rng: context.rng,
    ...(context.nResamples === undefined ? {} : { nResamples: context.nResamples }),
  });
  const calibration = topLabelCalibrationBins(cases.labels, cases.probabilities, context.nCalibrationBins);
  const point = statistics(new Float64Array(cases.labels.length).fill(1));
  const wilson = context.areCasesIndependent ? wilsonOfDiagonal(confusion) : null;
  const intervalOf = (name: string): Interval | null => intervals[name] ?? null;
  const metrics = {
    ...tableOf(overall(point, cases.isOrdered), (name) =>
      name === "accuracy" ? (wilson ?? intervalOf(name)) : intervalOf(name),
    ),
    ece: { value: expectedCalibrationError(calibration), interval: null },
  };
  const classes = views.map((view, c) =>
    classReport({ name: cases.names[c] ?? "", view, c, confusion, point, intervalOf, context }),
  );
  return { metrics, classes, confusion, calibration, bootstrap: { nResamples, nRedraws } };
}

const OVERALL = [
  "macroAuroc",
  "weightedAuroc",
  "macroAveragePrecision",
  "balancedAccuracy",
  "accuracy",
  "macroF1",
  "weightedF1",
  "microF1",
  "kappa",
  "brier",
  "logLoss",
] as const;

type Statistics = Readonly<Record<string, number | null>>;

function overall(point: Statistics, isOrdered: boolean): Partial<Record<MetricName, number | null>> {
  const names: readonly MetricName[] = isOrdered ? ["quadraticKappa", ...OVERALL] : OVERALL;
  return Object.fromEntries(names.map((name) => [name, point[name] ?? null]));
}

/** The overall metrics of a weighted sample. */
export function overallMulticlassStatistics(
  cases: MulticlassCases,
): (weights: Float64Array) => Partial<Record<MetricName, number | null>> {
  const views = oneVsRest(cases.labels, cases.probabilities, cases.names.length);
  const statistics = multiclassStatistics(cases, views, decisions(cases));
  return (weights) => overall(statistics(weights), cases.isOrdered);
}

/** The hard prediction of each case, `[N]`. */
export function decisions({
  probabilities,
  isOrdered,
}: Pick<MulticlassCases, "probabilities" | "isOrdered">): number[] {
  return probabilities.map(isOrdered ? medianClass : argmax);
}

/** Overall metrics by name, and those of class c under `auroc:c`, `ap:c`, `recall:c`, `f1:c`. */
function multiclassStatistics(
  { labels, probabilities, names }: MulticlassCases,
  views: readonly ClassView[],
  predicted: readonly number[],
): (weights: Float64Array) => Statistics {
  const brier = labels.map((label, i) => multiclassBrierScore([label], [probabilities[i] ?? []], names.length) ?? 0);
  const log = labels.map((label, i) => multiclassLogLoss([label], [probabilities[i] ?? []], names.length) ?? 0);
  return (weights) => {
    const confusion = confusionMatrix(labels, predicted, names.length, weights);
    const support = confusion.map((row) => row.reduce((sum, count) => sum + count, 0));
    const aurocs = views.map((view) => rankedAuroc(view.ranking, view.labels, weights));
    const precisions = views.map((view) => rankedAveragePrecision(view.ranking, view.labels, weights));
    const aurocMeans = meansOfDefined(aurocs, support);
    const f1 = f1Scores(confusion);
    return {
      macroAuroc: aurocMeans.macro,
      weightedAuroc: aurocMeans.weighted,
      macroAveragePrecision: meansOfDefined(precisions, support).macro,
      balancedAccuracy: balancedAccuracy(confusion),
      accuracy: accuracy(confusion),
      macroF1: f1.macro,
      weightedF1: f1.weighted,
      microF1: f1.micro,
      kappa: cohenKappa(confusion),
      quadraticKappa: weightedKappa(confusion),
      brier: weightedMean(weights, (i) => brier[i] ?? 0),
      logLoss: weightedMean(weights, (i) => log[i] ?? 0),
      ...byClass("auroc", aurocs),
      ...byClass("ap", precisions),
      ...byClass("recall", recalls(confusion)),
      ...byClass("f1", f1.perClass),
    };
  };
}

function byClass(prefix: string, values: readonly (number | null)[]): Statistics {
  return Object.fromEntries(values.map((value, c) => [`${prefix}:${c}`, value]));
}

interface ClassReportInput {
  readonly name: string;
  readonly view: ClassView;
  readonly c: number;
  readonly confusion: ConfusionMatrix;
  readonly point: Statistics;
  readonly intervalOf: (name: string) => Interval | null;
  readonly context: EvaluationContext;
}

function classReport({ name, view, c, confusion, point, intervalOf, context }: ClassReportInput): ClassReport {
  const nPositives = confusion[c]?.reduce((sum, count) => sum + count, 0) ?? 0;
  const isIndependent = context.areCasesIndependent;
  const delong = isIndependent ? delongInterval(view.labels, view.scores) : null;
  const wilson = isIndependent ? wilsonInterval(confusion[c]?.[c] ?? 0, nPositives) : null;
  const estimate = (key: string, exact: Interval | null = null) => ({
    value: point[`${key}:${c}`] ?? null,
    interval: exact ?? intervalOf(`${key}:${c}`),
  });
  return {
    name,
    nPositives,
    nNegatives: view.labels.length - nPositives,
    metrics: {
      auroc: estimate("auroc", delong),
      averagePrecision: estimate("ap"),
      sensitivity: estimate("recall", wilson),
      f1: estimate("f1"),
    },
    roc: rocCurve(view.labels, view.scores),
    pr: prCurve(view.labels, view.scores),
  };
}

function wilsonOfDiagonal(confusion: ConfusionMatrix): Interval | null {
  const total = confusion.flat().reduce((sum, count) => sum + count, 0);
  return wilsonInterval(
    confusion.reduce((sum, row, c) => sum + (row[c] ?? 0), 0),
    total,
  );
}
