import { DomainError } from "@parfocal/errors";
import { rankedAuroc } from "./auroc.ts";
import { rankedAveragePrecision } from "./average-precision.ts";
import { bootstrapIntervals } from "./bootstrap.ts";
import { calibrationBins, expectedCalibrationError } from "./calibration.ts";
import { type ConfusionMatrix, confusionMatrix, f1Scores } from "./confusion.ts";
import { evaluateBinary, tableOf, weightedMean } from "./evaluate-binary.ts";
import type { EvaluationContext, TaskReport } from "./evaluation-types.ts";
import { wilsonInterval } from "./interval.ts";
import { meansOfDefined } from "./one-vs-rest.ts";
import { type Ranking, rankScores } from "./ranking.ts";

/** One multi-label problem. */
export interface MultilabelCases {
  readonly names: readonly string[];
  readonly patients: readonly string[];
  /** `[N][K]` of 0, 1 or null (unknown). */
  readonly labels: readonly (readonly (number | null)[])[];
  /** `[N][K]`, independent probabilities. */
  readonly probabilities: readonly (readonly number[])[];
}

/** The multi-label part of `evaluate`: each label on the cases where it is known, then means over labels. */
export function evaluateMultilabel(cases: MultilabelCases, context: EvaluationContext): TaskReport {
  const columns = cases.names.map((_, c) => labelColumn(cases, c, context.thresholds[c] ?? Number.NaN));
  const reports = columns.map((column, c) => {
    const known = column.knownCases;
    if (known.length === 0) return undefined;
    const binary = {
      name: cases.names[c] ?? "",
      patients: known.map((i) => cases.patients[i] ?? ""),
      labels: known.map((i) => column.labels[i] ?? 0),
      scores: Float64Array.from(known, (i) => column.scores[i] ?? Number.NaN),
    };
    return evaluateBinary(binary, { ...context, rng: context.rng.fork(`label ${c}`), thresholds: [column.threshold] });
  });
  const statistics = multilabelStatistics(columns);
  const { intervals, nResamples, nRedraws } = bootstrapIntervals({
    patients: cases.patients,
    statistics,
    isUsable: keepsEveryLabel(columns),
    rng: context.rng,
    ...(context.nResamples === undefined ? {} : { nResamples: context.nResamples }),
  });
  const calibration = pooledCalibration(columns, context.nCalibrationBins);
  const point = statistics(new Float64Array(cases.labels.length).fill(1));
  const exactMatch = context.areCasesIndependent ? exactMatchInterval(columns, cases.labels.length) : null;
  const metrics = {
    ...tableOf(point, (name) => (name === "exactMatch" ? (exactMatch ?? intervals[name]) : intervals[name])),
    ece: { value: expectedCalibrationError(calibration), interval: null },
  };
  const classes = reports.map(
    (report, c) =>
      report?.classes[0] ?? {
        name: cases.names[c] ?? "",
        nPositives: 0,
        nNegatives: 0,
        metrics: {},
        roc: null,
        pr: null,
      },
  );
  return { metrics, classes, confusion: null, calibration, bootstrap: { nResamples, nRedraws } };
}

/** One label over all cases; where it is unknown, `isKnown` is 0 and the label a placeholder. */
interface LabelColumn {
  readonly labels: Uint8Array;
  readonly isKnown: Uint8Array;
  readonly knownCases: readonly number[];
  readonly scores: Float64Array;
  readonly predicted: Uint8Array;
  readonly threshold: number;
  readonly ranking: Ranking;
}

function labelColumn({ labels, probabilities }: MultilabelCases, c: number, threshold: number): LabelColumn {
  const truth = labels.map((row) => row[c] ?? null);
  const bad = truth.find((label) => label !== null && label !== 0 && label !== 1);
  if (bad !== undefined)
    throw new DomainError("INVALID_ARGUMENT", `a label is ${bad}; it must be 0, 1 or null (unknown)`);
  const scores = Float64Array.from(probabilities, (row) => row[c] ?? Number.NaN);
  return {
    labels: Uint8Array.from(truth, (label) => label ?? 0),
    isKnown: Uint8Array.from(truth, (label) => Number(label !== null)),
    knownCases: truth.flatMap((label, i) => (label === null ? [] : [i])),
    scores,
    predicted: Uint8Array.from(scores, (score) => Number(score >= threshold)),
    threshold,
    ranking: rankScores(scores),
  };
}

type MultilabelStatistic =
  | "macroAuroc"
  | "weightedAuroc"
  | "macroAveragePrecision"
  | "macroF1"
  | "microF1"
  | "exactMatch";

/** The overall metrics of a weighted sample, and whether each label keeps both sides in it. */
export function overallMultilabelStatistics(cases: MultilabelCases, thresholds: readonly number[]) {
  const columns = cases.names.map((_, c) => labelColumn(cases, c, thresholds[c] ?? Number.NaN));
  const isRight = Array.from(exactMatches(columns), (match) => match === 1);
  return { statistics: multilabelStatistics(columns), isUsable: keepsEveryLabel(columns), isRight };
}

function multilabelStatistics(
  columns: readonly LabelColumn[],
): (weights: Float64Array) => Record<MultilabelStatistic, number | null> {
  const isExact = exactMatches(columns);
  return (weights) => {
    const known = columns.map((column) => weights.map((weight, i) => weight * (column.isKnown[i] ?? 0)));
    const confusions = columns.map(({ labels, predicted }, c) => confusionMatrix(labels, predicted, 2, known[c]));
    const support = confusions.map(([, [fn = 0, tp = 0] = []]) => fn + tp);
    const aurocs = meansOfDefined(
      columns.map(({ ranking, labels }, c) => rankedAuroc(ranking, labels, known[c])),
      support,
    );
    const precisions = columns.map(({ ranking, labels }, c) => rankedAveragePrecision(ranking, labels, known[c]));
    return {
      macroAuroc: aurocs.macro,
      weightedAuroc: aurocs.weighted,
      macroAveragePrecision: meansOfDefined(precisions, support).macro,
      macroF1: meansOfDefined(confusions.map(f1OfPresent), support).macro,
      microF1: f1Scores(pooled(confusions)).perClass[1] ?? null,
      exactMatch: weightedMean(weights, (i) => isExact[i] ?? 0),
    };
  };
}

/**
 * F1 of a label among the labels that are averaged, from its matrix `[2, 2]` over the cases that know it. Null where the label neither occurs
 * nor is predicted, so too where no case knows it: such labels stay out of the mean, as such classes do in `f1Scores`.
 *
 * Differs: scikit-learn averages these labels in, as 0 unless told otherwise (`zero_division`).
 */
function f1OfPresent(confusion: ConfusionMatrix): number | null {
  const [[, fp = 0] = [], [fn = 0, tp = 0] = []] = confusion;
  return fp + fn + tp === 0 ? null : (f1Scores(confusion).perClass[1] ?? null);
}

function pooled(confusions: readonly ConfusionMatrix[]): number[][] {
  return [0, 1].map((row) =>
    [0, 1].map((column) => confusions.reduce((sum, each) => sum + (each[row]?.[column] ?? 0), 0)),
  );
}

/** `[N]`: 1 where every known label is decided right. */
function exactMatches(columns: readonly LabelColumn[]): Uint8Array {
  return Uint8Array.from({ length: columns[0]?.labels.length ?? 0 }, (_, i) =>
    Number(columns.every(({ isKnown, labels, predicted }) => isKnown[i] === 0 || labels[i] === predicted[i])),
  );
}

function exactMatchInterval(columns: readonly LabelColumn[], nCases: number): ReturnType<typeof wilsonInterval> {
  return wilsonInterval(
    exactMatches(columns).reduce((sum, match) => sum + match, 0),
    nCases,
  );
}

/** Whether each label that has positives and negatives keeps both. */
function keepsEveryLabel(columns: readonly LabelColumn[]): (weights: Float64Array) => boolean {
  const ofValue = (column: LabelColumn, value: number): readonly number[] =>
    column.knownCases.filter((i) => column.labels[i] === value);
  const needed = columns
    .flatMap((column) => [ofValue(column, 0), ofValue(column, 1)])
    .filter((cases) => cases.length > 0);
  return (weights) => needed.every((cases) => cases.some((i) => weights[i] !== 0));
}

function pooledCalibration(columns: readonly LabelColumn[], nBins?: number): ReturnType<typeof calibrationBins> {
  const known = columns.flatMap((column) =>
    column.knownCases.map((i) => ({ label: column.labels[i] ?? 0, p: column.scores[i] ?? 0 })),
  );
  return calibrationBins(
    known.map(({ label }) => label),
    known.map(({ p }) => p),
    nBins,
  );
}
