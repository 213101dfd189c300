import { DomainError } from "@parfocal/errors";
import { commonV1 } from "@parfocal/protocol";
import { type CombinedPrediction, decideByThresholds, mostUnusual } from "./combine-predictions.ts";
import { type CommonCurves, meanCurve, riskOfCurve, survivalsAtCommonTimes } from "./ensemble-curves.ts";
import { worstSeen } from "./seen.ts";

/** What stands for the model in lines that several models say together. */
export const ENSEMBLE = "ensemble";

/** How far the models differ: sample standard deviations (n - 1) over the models, in the order of what they are of. */
export interface EnsembleSpread {
  /** By class. */
  readonly probabilities: readonly number[];
  /** By class; empty where not every model publishes calibrated probabilities. */
  readonly calibrated: readonly number[];
  /** By number of a regression, in its unit. */
  readonly values: readonly number[];
  /** Survival and Cox. */
  readonly risk?: number;
}

/** What several models say together of one slide or patient. */
export interface EnsemblePrediction {
  readonly prediction: CombinedPrediction;
  readonly spread: EnsembleSpread;
}

/**
 * What models of one task say together: the mean over the models of probabilities, of calibrated probabilities where every model has them, of
 * numbers and of survival curves. Classes are decided by the mean probability: binary and multi-label by the mean of the models' thresholds,
 * which is whether the models are on the whole above theirs; multi-class the likeliest; ordinal the median. Sets and intervals promise
 * something of one model: there are none. How unusual the slide is, is how unusual it is to the model that finds it most so;
 * it counts as seen where any of them has.
 *
 * @param models what each says of the same slides, two or more, of tasks that {@link assertOneTask} took.
 * @throws {DomainError} `PRECONDITION_FAILED` for survival without curves, as risks of several models share no scale, or in discrete time
 * with other intervals.
 */
export function ensemblePrediction(
  kind: commonV1.Task_Kind,
  models: readonly CombinedPrediction[],
): EnsemblePrediction {
  const { probabilities, calibrated } = classesOf(models);
  const values = valuesOf(models);
  const survival = survivalOf(kind, models);
  const typicality = mostUnusual(models);
  return {
    prediction: {
      probabilities,
      decision: decideByThresholds(kind, probabilities),
      values: values.means,
      survival: survival?.prediction,
      ...(typicality && { typicality }),
      seen: worstSeen(models),
    },
    spread: {
      probabilities: spreadsOf(models, ({ probabilities: own }) => own.map(({ probability }) => probability)),
      calibrated,
      values: values.spreads,
      ...(survival && { risk: survival.spread }),
    },
  };
}

/** Mean classes with mean thresholds, and the spread of what is calibrated. */
function classesOf(models: readonly CombinedPrediction[]) {
  const columns = (models[0]?.probabilities ?? []).map(({ label }, k) => ({
    label,
    own: models.flatMap(({ probabilities }) => probabilities[k] ?? []),
  }));
  const isCalibrated = columns.every(({ own }) => own.every(({ calibrated }) => calibrated !== undefined));
  const calibratedOf = (own: readonly commonV1.ClassProbability[]) => own.flatMap(({ calibrated }) => calibrated ?? []);
  const probabilities = columns.map(({ label, own }): commonV1.ClassProbability => {
    const thresholds = own.flatMap(({ threshold }) => threshold ?? []);
    return {
      label,
      probability: mean(own.map(({ probability }) => probability)),
      threshold: thresholds.length === 0 ? undefined : mean(thresholds),
      calibrated: isCalibrated ? mean(calibratedOf(own)) : undefined,
    };
  });
  return { probabilities, calibrated: isCalibrated ? columns.map(({ own }) => deviation(calibratedOf(own))) : [] };
}

function valuesOf(models: readonly CombinedPrediction[]) {
  const names = (models[0]?.values ?? []).map(({ label }) => label);
  const columns = names.map((_, k) => models.map(({ values }) => values[k]?.value ?? Number.NaN));
  return {
    means: names.map((label, k) => ({ label, value: mean(columns[k] ?? []) })),
    spreads: columns.map(deviation),
  };
}

function spreadsOf(models: readonly CombinedPrediction[], pick: (model: CombinedPrediction) => number[]): number[] {
  const rows = models.map(pick);
  return (rows[0] ?? []).map((_, k) => deviation(rows.map((row) => row[k] ?? Number.NaN)));
}

/** The mean curve, and the risk that ranks by it; its spread is that of the models' curves by the same measure. */
function survivalOf(kind: commonV1.Task_Kind, models: readonly CombinedPrediction[]) {
  const all = models.flatMap(({ survival }) => survival ?? []);
  if (all.length === 0) return undefined;
  const common: CommonCurves = survivalsAtCommonTimes(
    all.map(({ curve }) => curve),
    kind === commonV1.Task_Kind.KIND_COX ? "steps" : "intervals",
  );
  if (common.times.length === 0 || all.length < models.length) throw noCommonScale();
  const risks = common.survivals.map(riskOfCurve);
  return { prediction: { risk: mean(risks), curve: meanCurve(common) }, spread: deviation(risks) };
}

function noCommonScale(): DomainError {
  const message =
    "a model gives no survival curve, or one that ends before another's begins; risks of several models share no scale";
  return new DomainError("PRECONDITION_FAILED", message, { details: { precondition: "SAME_SCALE" } });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Sample standard deviation; 0 of equal values, however they are rounded. */
function deviation(values: readonly number[]): number {
  const middle = mean(values);
  if (values.every((value) => value === values[0])) return 0;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}
