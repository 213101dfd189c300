/** @file What models say of cases, made ready to be compared: one function per kind of task. */
import { DomainError } from "@parfocal/errors";
import { alignToHalf, DECISION_METRICS } from "./align-thresholds.ts";
import type { ComparedCases, Contender } from "./compare.ts";
import { rankedConcordance, rankRisks } from "./concordance.ts";
import { binaryStatistics, keepsClasses } from "./evaluate-binary.ts";
import { decisions, overallMulticlassStatistics } from "./evaluate-multiclass.ts";
import { overallMultilabelStatistics } from "./evaluate-multilabel.ts";
import type { EvaluationTask } from "./evaluation-types.ts";
import { regressionStatistics } from "./regression-metrics.ts";
import type { SurvivalOutcomes } from "./survival-outcomes.ts";

/** One of several classifiers of the same cases. */
export interface ComparedClassifier {
  /** `[N][K]`; binary: `[N][2]`, positive last. */
  readonly probabilities: readonly (readonly number[])[];
  /** Its own frozen thresholds: one for binary, K for multi-label, none otherwise. */
  readonly thresholds: readonly number[];
  /** Of each case, `[N]`, where several models speak, each of its own cases; absent: `thresholds` are everybody's. */
  readonly thresholdsOfCases?: readonly (readonly number[])[];
}

/** Labels of the cases, `[N]`: class index, or for multi-label `[K]` of 0, 1 or null. */
export type ComparedLabels = readonly (number | readonly (number | null)[])[];

/** What `compareContenders` takes. */
export interface Contest {
  readonly contenders: readonly Contender[];
  readonly cases: ComparedCases;
}

/**
 * A contest of classifiers.
 *
 * @throws {DomainError} `SHAPE_MISMATCH`, `INVALID_ARGUMENT` or `NON_FINITE` for bad input.
 */
export function contestOfClassifiers(
  task: EvaluationTask,
  patients: readonly string[],
  labels: ComparedLabels,
  models: readonly ComparedClassifier[],
): Contest {
  const names = task.classes;
  if (task.kind === "multi-label") {
    const vectors = labels.map((label) => (typeof label === "number" ? [label] : label));
    const madeOf = ({ probabilities, thresholds }: ComparedClassifier) =>
      overallMultilabelStatistics({ names, patients, labels: vectors, probabilities }, thresholds);
    const isUsable = models[0] && madeOf(models[0]).isUsable;
    return {
      contenders: models.map((model) => decidedByOwn(model, madeOf)),
      cases: { patients, ...(isUsable && { isUsable }) },
    };
  }
  const classes = labels.map(classIndex);
  const cases = { patients, isUsable: keepsClasses(classes) };
  if (task.kind === "binary") {
    const contenders = models.map((model) => decidedByOwn(model, (of) => binaryContender(classes, of)));
    return { contenders, cases: { ...cases, labels: classes } };
  }
  const isOrdered = task.kind === "ordinal";
  const contenders = models.map(({ probabilities }): Contender => {
    const predicted = decisions({ probabilities, isOrdered });
    return {
      statistics: overallMulticlassStatistics({ names, patients, labels: classes, probabilities, isOrdered }),
      isRight: classes.map((label, i) => label === predicted[i]),
    };
  });
  return { contenders, cases };
}

/** A contest of predicted numbers: `targets` `[N]` against each model's `[N]`. @throws as `regressionMetrics`. */
export function contestOfNumbers(
  patients: readonly string[],
  targets: readonly number[],
  models: readonly (readonly number[])[],
): Contest {
  const contenders = models.map((predicted) => {
    const statistics = regressionStatistics(targets, predicted);
    return { statistics: (weights: Float64Array) => ({ ...statistics(weights) }) };
  });
  return { contenders, cases: { patients } };
}

/** A contest of risks, each model's `[N]`, by Harrell's concordance index. @throws as `harrellConcordance`. */
export function contestOfRisks(
  patients: readonly string[],
  outcomes: SurvivalOutcomes,
  models: readonly (readonly number[])[],
): Contest {
  const contenders = models.map((risks) => {
    const ranked = rankRisks(outcomes, risks);
    return {
      statistics: (caseWeights: Float64Array) => ({ cIndex: rankedConcordance(ranked, { caseWeights }).index }),
    };
  });
  return { contenders, cases: { patients } };
}

function binaryContender(labels: readonly number[], { probabilities, thresholds }: ComparedClassifier): Contender {
  const scores = Float64Array.from(probabilities, (row) => row[1] ?? Number.NaN);
  const predicted = Uint8Array.from(scores, (score) => Number(score >= (thresholds[0] ?? Number.NaN)));
  return {
    statistics: binaryStatistics({ labels, scores }, predicted),
    isRight: labels.map((label, i) => label === predicted[i]),
    scores,
  };
}

/** A contender of cases with thresholds of their own: these decide, what ranks and calibrates is of the probabilities as they are. */
function decidedByOwn(model: ComparedClassifier, make: (model: ComparedClassifier) => Contender): Contender {
  const plain = make(model);
  const { thresholds, thresholdsOfCases: own = [], probabilities } = model;
  if (own.every((row) => row.every((value, k) => value === thresholds[k]))) return plain;
  const isBinary = thresholds.length === 1 && probabilities[0]?.length === 2;
  const aligned = probabilities.map((row, i) => {
    const limits = own[i] ?? [];
    const of = (k: number) => (isBinary ? (k === 0 ? 1 - (limits[0] ?? 0.5) : limits[0]) : limits[k]) ?? 0.5;
    return row.map((p, k) => alignToHalf(p, of(k)));
  });
  const decided = make({ probabilities: aligned, thresholds: thresholds.map(() => 0.5) });
  return {
    ...plain,
    ...(decided.isRight && { isRight: decided.isRight }),
    statistics: (weights) => {
      const [said, chosen] = [plain.statistics(weights), decided.statistics(weights)];
      const names = Object.keys(said) as (keyof typeof said)[];
      return Object.fromEntries(names.map((name) => [name, (DECISION_METRICS.has(name) ? chosen : said)[name]]));
    },
  };
}

function classIndex(label: ComparedLabels[number], i: number): number {
  if (typeof label === "number") return label;
  throw new DomainError("SHAPE_MISMATCH", `label ${i} has ${label.length} entries; this task has one class per case`);
}
