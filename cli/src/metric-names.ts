import type { MetricName } from "@parfocal/metrics";

/** How each metric is called in a report. */
export const METRIC_LABELS: Readonly<Record<MetricName, string>> = {
  auroc: "AUROC",
  macroAuroc: "AUROC, macro one-vs-rest",
  weightedAuroc: "AUROC, weighted by prevalence",
  averagePrecision: "Average precision",
  macroAveragePrecision: "Average precision, macro",
  accuracy: "Accuracy",
  exactMatch: "All labels right",
  balancedAccuracy: "Balanced accuracy",
  sensitivity: "Sensitivity",
  specificity: "Specificity",
  ppv: "Positive predictive value",
  npv: "Negative predictive value",
  f1: "F1",
  macroF1: "F1, macro",
  weightedF1: "F1, weighted",
  microF1: "F1, micro",
  kappa: "Cohen's kappa",
  quadraticKappa: "Quadratic-weighted kappa",
  brier: "Brier score (lower is better)",
  logLoss: "Log loss (lower is better)",
  ece: "Expected calibration error (lower is better)",
  mae: "Mean absolute error",
  rmse: "Root mean squared error",
  r2: "R²",
  pearson: "Pearson correlation",
  spearman: "Spearman correlation",
  cIndex: "Concordance index (Harrell)",
  unoCIndex: "Concordance index (Uno)",
  integratedBrier: "Integrated Brier score (lower is better)",
};

/** How each kind of interval is called. */
export const INTERVAL_LABELS = {
  "delong-logit": "DeLong, logit scale",
  "delong-wald": "DeLong, Wald",
  wilson: "Wilson",
  "patient-bootstrap": "patient bootstrap",
} as const;
