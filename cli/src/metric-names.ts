import type { MetricName } from "@parfocal/metrics";
import { snakeCase } from "./experiment/field-names.ts";

/** How a metric is called, and where it is shown. */
interface MetricWords {
  /** In a report. */
  readonly label: string;
  /** On a terminal; absent: only reports and JSON have it. */
  readonly title?: string;
  /** Whether it is a column of the table of folds, as far as the task has it. */
  readonly isOfFolds?: true;
}

/** Every metric, in the order in which a terminal shows them. */
const METRICS: Readonly<Record<MetricName, MetricWords>> = {
  auroc: { label: "AUROC", title: "AUROC", isOfFolds: true },
  macroAuroc: { label: "AUROC, macro one-vs-rest", title: "AUROC (macro)", isOfFolds: true },
  weightedAuroc: { label: "AUROC, weighted by prevalence" },
  averagePrecision: { label: "Average precision", title: "average precision", isOfFolds: true },
  macroAveragePrecision: { label: "Average precision, macro", title: "average precision (macro)" },
  balancedAccuracy: { label: "Balanced accuracy", title: "balanced accuracy", isOfFolds: true },
  accuracy: { label: "Accuracy", title: "accuracy" },
  exactMatch: { label: "All labels right", title: "exact match", isOfFolds: true },
  sensitivity: { label: "Sensitivity", title: "sensitivity" },
  specificity: { label: "Specificity", title: "specificity" },
  ppv: { label: "Positive predictive value" },
  npv: { label: "Negative predictive value" },
  f1: { label: "F1", title: "F1" },
  macroF1: { label: "F1, macro", title: "F1 (macro)", isOfFolds: true },
  weightedF1: { label: "F1, weighted" },
  microF1: { label: "F1, micro" },
  kappa: { label: "Cohen's kappa" },
  brier: { label: "Brier score (lower is better)", title: "Brier score" },
  logLoss: { label: "Log loss (lower is better)" },
  ece: { label: "Expected calibration error (lower is better)", title: "calibration error" },
  quadraticKappa: { label: "Quadratic-weighted kappa", title: "quadratic kappa", isOfFolds: true },
  mae: { label: "Mean absolute error", title: "mean absolute error", isOfFolds: true },
  rmse: { label: "Root mean squared error", title: "root mean squared error" },
  r2: { label: "R²", title: "R²", isOfFolds: true },
  pearson: { label: "Pearson correlation", title: "Pearson's correlation" },
  spearman: { label: "Spearman correlation", title: "Spearman's correlation", isOfFolds: true },
  cIndex: { label: "Concordance index (Harrell)", title: "C-index (Harrell)", isOfFolds: true },
  unoCIndex: { label: "Concordance index (Uno)", title: "C-index (Uno)", isOfFolds: true },
  integratedBrier: {
    label: "Integrated Brier score (lower is better)",
    title: "Brier score (integrated)",
    isOfFolds: true,
  },
};

const ENTRIES = Object.entries(METRICS) as readonly [MetricName, MetricWords][];

/** How each metric is called in a report. */
export const METRIC_LABELS = Object.fromEntries(ENTRIES.map(([name, { label }]) => [name, label])) as Readonly<
  Record<MetricName, string>
>;

/** Metrics that people are shown first on a terminal, in this order, and how they are called there; the others are in the JSON. */
export const TERMINAL_METRICS: readonly (readonly [name: MetricName, title: string])[] = ENTRIES.flatMap(
  ([name, { title }]) => (title === undefined ? [] : [[name, title] as const]),
);

/** As {@link TERMINAL_METRICS}, by their names in the contract, with what an evaluation says there of certainty. */
export const METRIC_TITLES: ReadonlyMap<string, string> = new Map([
  ...TERMINAL_METRICS.map(([name, title]) => [snakeCase(name), title] as const),
  ["set_coverage", "prediction sets that hold the truth"],
  ["set_size", "classes in the mean prediction set"],
]);

/** How every metric is called in a report, by its name in the contract. */
export const REPORT_LABELS: ReadonlyMap<string, string> = new Map(
  ENTRIES.map(([name, { label }]) => [snakeCase(name), label]),
);

/** How the metrics of a table of folds are called there, by their names in the contract. */
export const FOLD_LABELS: ReadonlyMap<string, string> = new Map(
  ENTRIES.flatMap(([name, { label, isOfFolds }]) => (isOfFolds ? [[snakeCase(name), label] as const] : [])),
);

/** Whether certainty comes true, as reports call it, by the names in the contract. */
export const CERTAINTY_LABELS: ReadonlyMap<string, string> = new Map([
  ["set_coverage", "Sets that hold the truth"],
  ["set_size", "Classes in the mean set"],
  ["interval_coverage", "Intervals that hold the truth"],
  ["interval_width", "Mean width of intervals"],
  ["unlike_share", "Slides unlike the training part"],
]);

/** How each kind of interval is called. */
export const INTERVAL_LABELS = {
  "delong-logit": "DeLong, logit scale",
  "delong-wald": "DeLong, Wald",
  wilson: "Wilson",
  "patient-bootstrap": "patient bootstrap",
} as const;
