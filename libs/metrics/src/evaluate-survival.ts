import { DomainError } from "@parfocal/errors";
import { bootstrapIntervals } from "./bootstrap.ts";
import { rankedConcordance, rankRisks, unoWeights } from "./concordance.ts";
import { tableOf } from "./evaluate-binary.ts";
import type { EvaluationOptions, EvaluationReport, MetricTable } from "./evaluation-types.ts";
import type { CensoringCurve } from "./kaplan-meier.ts";
import { integratedBrierScore, type SurvivalForecast, survivalBrierScores } from "./survival-brier.ts";
import { assertSurvivalOutcomes, type SurvivalOutcomes } from "./survival-outcomes.ts";

/** Predicted risks beside what happened. */
export interface SurvivalCases {
  /** `[N]`. Never printed. */
  readonly patients: readonly string[];
  readonly outcomes: SurvivalOutcomes;
  /** `[N]`, higher = earlier event. */
  readonly risks: ArrayLike<number>;
  /** Curves where the model gives them; absent: no Brier score. */
  readonly forecast?: SurvivalForecast;
  /** Censoring of the training cases; absent: no metric that needs weights (Uno's index, Brier). */
  readonly censoring?: CensoringCurve;
  /** Uno's index counts events before this time only; absent: those up to the last time to which training cases were followed. */
  readonly tau?: number;
}

/** Figures with 95 % intervals. */
export interface SurvivalReport {
  readonly nCases: number;
  readonly nPatients: number;
  readonly nEvents: number;
  /** `cIndex` (Harrell), and where they can be had `unoCIndex` and `integratedBrier`. */
  readonly metrics: MetricTable;
  readonly bootstrap: EvaluationReport["bootstrap"];
}

/**
 * Concordance of risks and accuracy of forecasts, intervals by patient bootstrap with the training cases' censoring held
 * fixed. Resamples without a comparable pair are drawn again.
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `NON_FINITE` or `INVALID_ARGUMENT` for bad input; `PRECONDITION_FAILED` without cases.
 */
export function evaluateSurvival(
  cases: SurvivalCases,
  { rng, nResamples }: Pick<EvaluationOptions, "rng" | "nResamples">,
): SurvivalReport {
  const { patients, outcomes } = cases;
  assertSurvivalOutcomes(outcomes);
  if (patients.length === 0) throw new DomainError("PRECONDITION_FAILED", "there are 0 cases; at least 1 is needed");
  const statistics = survivalStatistics(cases);
  const point = statistics(new Float64Array(patients.length).fill(1));
  const { intervals, ...bootstrap } = bootstrapIntervals({
    patients,
    statistics,
    ...(point.cIndex === null ? {} : { isUsable: (weights) => statistics(weights).cIndex !== null }),
    rng,
    ...(nResamples === undefined ? {} : { nResamples }),
  });
  return {
    nCases: patients.length,
    nPatients: new Set(patients).size,
    nEvents: Array.from(outcomes.events).filter((event) => event === 1).length,
    metrics: tableOf(measured(cases, point), (name) => intervals[name]),
    bootstrap,
  };
}

type SurvivalStatistic = "cIndex" | "unoCIndex" | "integratedBrier";

/** The metrics of a weighted sample; null too where these cases cannot give one. */
function survivalStatistics(cases: SurvivalCases): (weights: Float64Array) => Record<SurvivalStatistic, number | null> {
  const { outcomes, risks, forecast, censoring, tau } = cases;
  const ranked = rankRisks(outcomes, risks);
  const weights = censoring && unoWeights(outcomes, { censoring, ...(tau === undefined ? {} : { tau }) });
  // Later than anybody was followed there is nothing to weigh by: Uno's own truncation.
  const eventWeights = tau === undefined ? weights?.map((weight) => (Number.isFinite(weight) ? weight : 0)) : weights;
  const brier = (weights: Float64Array): number | null =>
    forecast && censoring
      ? integratedBrierScore(forecast.times, survivalBrierScores(outcomes, forecast, censoring, weights))
      : null;
  return (caseWeights) => ({
    cIndex: rankedConcordance(ranked, { caseWeights }).index,
    unoCIndex: eventWeights ? rankedConcordance(ranked, { caseWeights, eventWeights }).index : null,
    integratedBrier: brier(caseWeights),
  });
}

/** What can be had: absent from the table otherwise, not null. */
function measured<Value>(
  { censoring, forecast }: SurvivalCases,
  point: Record<SurvivalStatistic, Value>,
): Partial<Record<SurvivalStatistic, Value>> {
  const { cIndex, unoCIndex, integratedBrier } = point;
  return { cIndex, ...(censoring && { unoCIndex }), ...(censoring && forecast && { integratedBrier }) };
}
