export { alignToHalf, DECISION_METRICS } from "./align-thresholds.ts";
export { auroc, multiclassAuroc, rankedAuroc } from "./auroc.ts";
export { averagePrecision, multiclassAveragePrecision, rankedAveragePrecision } from "./average-precision.ts";
export type { BinaryLabels } from "./binary-input.ts";
export { type BootstrapOptions, type BootstrapResult, bootstrapIntervals, DEFAULT_RESAMPLES } from "./bootstrap.ts";
export {
  brierScore,
  type CalibrationBin,
  calibrationBins,
  DEFAULT_CALIBRATION_BINS,
  expectedCalibrationError,
  logLoss,
  multiclassBrierScore,
  multiclassLogLoss,
  topLabelCalibrationBins,
} from "./calibration.ts";
export { chiSquaredP } from "./chi-squared.ts";
export {
  type ComparedCases,
  type CompareOptions,
  type Comparison,
  type Contender,
  compareContenders,
} from "./compare.ts";
export {
  type Concordance,
  type ConcordanceWeights,
  harrellConcordance,
  type RankedRisks,
  rankedConcordance,
  rankRisks,
  type UnoOptions,
  unoConcordance,
  unoWeights,
} from "./concordance.ts";
export {
  type CalibrationCases,
  type ConformalOptions,
  type ConformalScore,
  type ConformalSets,
  conformalQuantile,
  conformalSet,
  fitConformalHalfWidth,
  fitConformalSets,
} from "./conformal.ts";
export {
  accuracy,
  argmax,
  balancedAccuracy,
  type ConfusionMatrix,
  cohenKappa,
  confusionMatrix,
  type F1Scores,
  f1Scores,
  medianClass,
  precisions,
  recalls,
} from "./confusion.ts";
export {
  type ComparedClassifier,
  type ComparedLabels,
  type Contest,
  contestOfClassifiers,
  contestOfNumbers,
  contestOfRisks,
} from "./contenders.ts";
export { type OperatingPoint, operatingPoints, type PrPoint, prCurve, type RocPoint, rocCurve } from "./curves.ts";
export { type DecidingKind, decideClasses } from "./decide-classes.ts";
export {
  type DelongComponents,
  type DelongTest,
  delongComponents,
  delongCovariance,
  delongInterval,
  delongTest,
  delongVariance,
  delongWaldInterval,
} from "./delong.ts";
export { evaluate } from "./evaluate.ts";
export { evaluateRegression, type RegressionCases, type RegressionReport } from "./evaluate-regression.ts";
export { evaluateSurvival, type SurvivalCases, type SurvivalReport } from "./evaluate-survival.ts";
export type {
  CasePrediction,
  ClassReport,
  EvaluationOptions,
  EvaluationReport,
  EvaluationTask,
  MetricName,
  MetricTable,
} from "./evaluation-types.ts";
export { holmAdjusted } from "./holm.ts";
export { type Estimate, type Interval, type IntervalMethod, wilsonInterval } from "./interval.ts";
export {
  type CensoringCurve,
  type CensoringStep,
  censoringCurve,
  censoringSteps,
  curveOfCensoring,
  type KaplanMeierPoint,
  kaplanMeier,
  medianSurvival,
} from "./kaplan-meier.ts";
export { assertDistinctContent, assertNoLeakage } from "./leakage.ts";
export { type LogRankTest, logRankTest } from "./log-rank.ts";
export { type McnemarTest, mcnemarTest } from "./mcnemar.ts";
export { twoSidedP, Z_95 } from "./normal-distribution.ts";
export type { PerClass } from "./one-vs-rest.ts";
export { type PairedBootstrapOptions, type PairedDifference, pairedBootstrap } from "./paired-bootstrap.ts";
export { percentilesOf } from "./percentiles.ts";
export { quantileSorted } from "./quantile.ts";
export { midRanks, type Ranking, rankScores } from "./ranking.ts";
export { type RegressionMetrics, regressionMetrics, regressionStatistics } from "./regression-metrics.ts";
export {
  type MonteCarloOptions,
  monteCarloSplits,
  type RepeatedFoldsOptions,
  repeatedFolds,
} from "./repeated-splits.ts";
export { riskGroups } from "./risk-groups.ts";
export { createRng, type Rng, type RngSnapshot, restoreRng, type Shuffleable } from "./rng.ts";
export { type SiteFolds, type SiteFoldsOptions, siteFolds } from "./site-folds.ts";
export type { Split } from "./split.ts";
export { type SplitFractions, type SplitOptions, splitPatients } from "./splits.ts";
export { integratedBrierScore, type SurvivalForecast, survivalBrierScores } from "./survival-brier.ts";
export { assertSurvivalOutcomes, groupByTime, type SurvivalOutcomes, type TimeGroup } from "./survival-outcomes.ts";
export { fitTemperature, type TemperatureFit, temper } from "./temperature.ts";
export { type TestedFoldsOptions, testedFolds } from "./tested-folds.ts";
export { type ChosenThreshold, chooseThreshold, type ThresholdRule } from "./threshold.ts";
export { weightedKappa } from "./weighted-kappa.ts";
