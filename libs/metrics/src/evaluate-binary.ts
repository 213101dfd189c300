import { rankedAuroc } from "./auroc.ts";
import { rankedAveragePrecision } from "./average-precision.ts";
import { assertBinaryInput, type BinaryLabels, countPositives } from "./binary-input.ts";
import { bootstrapIntervals } from "./bootstrap.ts";
import { brierScore, calibrationBins, expectedCalibrationError, logLoss } from "./calibration.ts";
import {
  accuracy,
  balancedAccuracy,
  type ConfusionMatrix,
  cohenKappa,
  confusionMatrix,
  f1Scores,
  precisions,
  recalls,
} from "./confusion.ts";
import { prCurve, rocCurve } from "./curves.ts";
import { delongInterval } from "./delong.ts";
import type { EvaluationContext, MetricName, MetricTable, TaskReport } from "./evaluation-types.ts";
import { type Interval, wilsonInterval } from "./interval.ts";
import { rankScores } from "./ranking.ts";

/** One binary problem. */
export interface BinaryCases {
  /** Name of the positive class. */
  readonly name: string;
  readonly patients: readonly string[];
  readonly labels: BinaryLabels;
  /** Probability of the positive class. */
  readonly scores: Float64Array;
}

/** The binary part of `evaluate`, also applied to each label of a multi-label task. Uses `context.thresholds[0]`. */
export function evaluateBinary(cases: BinaryCases, context: EvaluationContext): TaskReport {
  const { labels, scores, patients } = cases;
  assertBinaryInput(labels, scores);
  const threshold = context.thresholds[0] ?? Number.NaN;
  const predicted = Uint8Array.from(scores, (score) => Number(score >= threshold));
  const confusion = confusionMatrix(labels, predicted, 2);
  const statistics = binaryStatistics(cases, predicted);
  const { intervals, nResamples, nRedraws } = bootstrapIntervals({
    patients,
    statistics,
    isUsable: keepsClasses(labels),
    rng: context.rng,
    ...(context.nResamples === undefined ? {} : { nResamples: context.nResamples }),
  });
  const exact = context.areCasesIndependent ? independentIntervals(cases, confusion) : {};
  const calibration = calibrationBins(labels, scores, context.nCalibrationBins);
  const point = statistics(new Float64Array(labels.length).fill(1));
  const metrics = {
    ...tableOf(point, (name) => exact[name] ?? intervals[name]),
    ece: { value: expectedCalibrationError(calibration), interval: null },
  };
  const nPositives = countPositives(labels);
  const nNegatives = labels.length - nPositives;
  const report = {
    name: cases.name,
    nPositives,
    nNegatives,
    metrics,
    roc: rocCurve(labels, scores),
    pr: prCurve(labels, scores),
  };
  return { metrics, classes: [report], confusion, calibration, bootstrap: { nResamples, nRedraws } };
}

/** Point estimates with the interval that `intervalOf` gives for each name, in the order of `point`. */
export function tableOf<Name extends MetricName>(
  point: Readonly<Partial<Record<Name, number | null>>>,
  intervalOf: (name: Name) => Interval | null,
): MetricTable {
  const names = Object.keys(point) as Name[];
  return Object.fromEntries(names.map((name) => [name, { value: point[name] ?? null, interval: intervalOf(name) }]));
}

type BinaryStatistic =
  | "auroc"
  | "averagePrecision"
  | "balancedAccuracy"
  | "accuracy"
  | "sensitivity"
  | "specificity"
  | "ppv"
  | "npv"
  | "f1"
  | "macroF1"
  | "kappa"
  | "brier"
  | "logLoss";

/** The metrics of a weighted sample, everything that does not change between resamples computed once. */
export function binaryStatistics(
  { labels, scores }: Pick<BinaryCases, "labels" | "scores">,
  predicted: Uint8Array,
): (weights: Float64Array) => Record<BinaryStatistic, number | null> {
  const ranking = rankScores(scores);
  const losses = Array.from(scores, (score, i) => ({
    brier: brierScore([labels[i] ?? 0], [score]) ?? 0,
    log: logLoss([labels[i] ?? 0], [score]) ?? 0,
  }));
  return (weights) => {
    const confusion = confusionMatrix(labels, predicted, 2, weights);
    const [specificity = null, sensitivity = null] = recalls(confusion);
    const [npv = null, ppv = null] = precisions(confusion);
    const f1 = f1Scores(confusion);
    return {
      auroc: rankedAuroc(ranking, labels, weights),
      averagePrecision: rankedAveragePrecision(ranking, labels, weights),
      balancedAccuracy: balancedAccuracy(confusion),
      accuracy: accuracy(confusion),
      sensitivity,
      specificity,
      ppv,
      npv,
      f1: f1.perClass[1] ?? null,
      macroF1: f1.macro,
      kappa: cohenKappa(confusion),
      brier: weightedMean(weights, (i) => losses[i]?.brier ?? 0),
      logLoss: weightedMean(weights, (i) => losses[i]?.log ?? 0),
    };
  };
}

/** Intervals that hold when cases are independent: DeLong for AUROC, Wilson for proportions. */
function independentIntervals(
  { labels, scores }: BinaryCases,
  confusion: ConfusionMatrix,
): Partial<Record<MetricName, Interval | null>> {
  const [[tn = 0, fp = 0] = [], [fn = 0, tp = 0] = []] = confusion;
  return {
    auroc: delongInterval(labels, scores),
    accuracy: wilsonInterval(tp + tn, tp + tn + fp + fn),
    sensitivity: wilsonInterval(tp, tp + fn),
    specificity: wilsonInterval(tn, tn + fp),
    ppv: wilsonInterval(tp, tp + fp),
    npv: wilsonInterval(tn, tn + fn),
  };
}

/** Whether every class of `labels` keeps some weight. */
export function keepsClasses(labels: ArrayLike<number>): (weights: Float64Array) => boolean {
  const nPresent = new Set(Array.from(labels)).size;
  return (weights) => {
    const kept = new Set<number>();
    for (let i = 0; i < labels.length && kept.size < nPresent; i += 1) if (weights[i]) kept.add(labels[i] ?? 0);
    return kept.size === nPresent;
  };
}

/** Mean of `valueAt(i)` with weights; null when they are all 0. */
export function weightedMean(weights: ArrayLike<number>, valueAt: (i: number) => number): number | null {
  let sum = 0;
  let weightSum = 0;
  for (let i = 0; i < weights.length; i += 1) {
    const weight = weights[i] ?? 0;
    if (weight === 0) continue;
    sum += weight * valueAt(i);
    weightSum += weight;
  }
  return weightSum === 0 ? null : sum / weightSum;
}
