import type { CalibrationBin } from "./calibration.ts";
import type { ConfusionMatrix } from "./confusion.ts";
import type { PrPoint, RocPoint } from "./curves.ts";
import type { Estimate } from "./interval.ts";
import type { Rng } from "./rng.ts";

/** What is predicted. Class names are for people; everything is computed on indices. */
export type EvaluationTask =
  /** `classes` = [negative, positive]. */
  | { readonly kind: "binary"; readonly classes: readonly [string, string] }
  /** Exactly one of K classes. */
  | { readonly kind: "multi-class"; readonly classes: readonly string[] }
  /** Exactly one of K classes that have an order, lowest first; decided by the median of the probabilities. */
  | { readonly kind: "ordinal"; readonly classes: readonly string[] }
  /** Any subset of K labels. */
  | { readonly kind: "multi-label"; readonly classes: readonly string[] };

/** One case (slide or patient, as the caller chose) with its truth and its prediction. */
export interface CasePrediction {
  /** Whose case it is: cases of one patient are resampled together. Never printed. */
  readonly patient: string;
  /** Class index (binary: 1 = positive); for multi-label `[K]` of 0, 1 or null (unknown). Null = unlabelled. */
  readonly label: number | readonly (number | null)[] | null;
  /** Binary: `[pPositive]` or `[pNegative, pPositive]`; else `[K]`. Null = the prediction failed. */
  readonly probabilities: readonly number[] | null;
}

/** Settings of {@link evaluate}. */
export interface EvaluationOptions {
  /** Drives the bootstrap. The same seed gives the same report. */
  readonly rng: Rng;
  /** Default 1 000. */
  readonly nResamples?: number;
  /** Decision thresholds: one for binary, K for multi-label, none for multi-class. Default 0.5. Chosen on validation cases. */
  readonly thresholds?: readonly number[];
  /** Bins of the reliability diagram. Default 10. */
  readonly nCalibrationBins?: number;
}

/** Every metric that a report may hold. */
export type MetricName =
  | "auroc"
  | "macroAuroc"
  | "weightedAuroc"
  | "averagePrecision"
  | "macroAveragePrecision"
  | "accuracy"
  | "exactMatch"
  | "balancedAccuracy"
  | "sensitivity"
  | "specificity"
  | "ppv"
  | "npv"
  | "f1"
  | "macroF1"
  | "weightedF1"
  | "microF1"
  | "kappa"
  | "quadraticKappa"
  | "brier"
  | "logLoss"
  | "ece"
  | "mae"
  | "rmse"
  | "r2"
  | "pearson"
  | "spearman"
  | "cIndex"
  | "unoCIndex"
  | "integratedBrier";

/** Metrics in reading order; a name is absent when the task does not have it. */
export type MetricTable = Readonly<Partial<Record<MetricName, Estimate>>>;

/** One class against the rest (binary: the positive class; multi-label: one label). */
export interface ClassReport {
  readonly name: string;
  readonly nPositives: number;
  readonly nNegatives: number;
  readonly metrics: MetricTable;
  /** Null when a class is missing. */
  readonly roc: readonly RocPoint[] | null;
  readonly pr: readonly PrPoint[] | null;
}

/** Everything {@link evaluate} measures. Plain data: survives JSON. */
export interface EvaluationReport {
  readonly task: EvaluationTask;
  /** Cases that entered the metrics. */
  readonly nCases: number;
  readonly nPatients: number;
  /** Cases that did not, and why. */
  readonly excluded: { readonly unlabelled: number; readonly failed: number };
  /** The thresholds that were applied; empty for multi-class (argmax) and ordinal (median). */
  readonly thresholds: readonly number[];
  readonly metrics: MetricTable;
  readonly classes: readonly ClassReport[];
  /** Row = truth, column = prediction; null for multi-label. */
  readonly confusion: ConfusionMatrix | null;
  /** Binary: of the positive probability; multi-class: of the predicted class; multi-label: of all labels pooled. */
  readonly calibration: readonly CalibrationBin[];
  /**
   * Whether each patient has one case. If not, intervals that assume independent cases (DeLong, Wilson) are replaced by the
   * patient bootstrap.
   */
  readonly areCasesIndependent: boolean;
  readonly bootstrap: { readonly nResamples: number; readonly nRedraws: number };
}

/** A case that can be evaluated. */
export interface CompleteCase {
  readonly patient: string;
  readonly label: number | readonly (number | null)[];
  readonly probabilities: readonly number[];
}

/** Options with every default filled in. */
export interface EvaluationContext extends EvaluationOptions {
  readonly thresholds: readonly number[];
  readonly areCasesIndependent: boolean;
}

/** The part of a report that depends on the kind of task. */
export type TaskReport = Pick<EvaluationReport, "metrics" | "classes" | "confusion" | "calibration" | "bootstrap">;
